"""Kaggle's header: the columns of `styles.csv`, written once. Light to import; `catalog` gives them to the code."""

ID, GENDER, MASTER, SUB, ARTICLE, COLOUR = "id", "gender", "masterCategory", "subCategory", "articleType", "baseColour"
SEASON, YEAR, USAGE, PRODUCT = "season", "year", "usage", "productDisplayName"
LABELS = [GENDER, MASTER, SUB, ARTICLE, COLOUR, SEASON, YEAR, USAGE]
COLUMNS = [ID, *LABELS, PRODUCT]
CLASSES = [label for label in LABELS if label != YEAR]  # labels that can be learnt and filtered by
