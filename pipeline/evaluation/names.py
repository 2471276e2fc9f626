"""What protocols, galleries and the columns of scores are called: who only reads a table follows from nothing else."""

PROTOCOL, GALLERY, RELEVANCE, QUERY = "protocol", "gallery", "relevance", "query"
STRICT, THESIS, QUERY_OUT = "strict", "thesis", "thesis, query out"
COPIES_IN, PRODUCT_OUT, TEMPORAL = "strict, copies left in", "strict, whole product out", "temporal"
HELD_OUT, UPC, UPC_IN = "held-out types", "22 types", "22 types, query in"
ALL, TEST, EVEN_YEARS, UNSEEN = "all", "test", "even years", "held-out types"  # galleries
GRADED = "graded"  # the relevance that weighs labels
# of scores, a row per query: besides these they have a column per metric
RELEVANT, SIZE, COPIES = "relevant", "size", "copies"
FIRST_MISS, BEFORE_MISS = "first_miss", "before_miss"
FACTS = [QUERY, COPIES, SIZE, PROTOCOL, GALLERY, RELEVANCE, RELEVANT, FIRST_MISS, BEFORE_MISS]
CHANCE_OF = "chance "  # before a graded metric's column: what a random ranking would score
# of the tidy table, a row per retrieval, place and metric
RETRIEVAL, ENCODER, DISTANCE, METRIC = "retrieval", "encoder", "distance", "metric"
QUERIES, LEFT_OUT = "queries", "left_out"
PLACE = [PROTOCOL, GALLERY, RELEVANCE]
