"""The table of verdicts: its words and its columns, how many claims got which, and claims newer than a publication."""

import re

import pandas as pd

from pipeline.claims.claim import Claim

REPRODUCED, DIFFERS, CONTRADICTED = "reproduced", "differs", "contradicted"
INCONSISTENT, SUBSTITUTED = "inconsistent in the document", "answered by a substitute"
NOT_TESTABLE, NOT_RUN = "not testable", "not run"
MEASURED = [REPRODUCED, DIFFERS, CONTRADICTED]
VERDICTS = [*MEASURED, INCONSISTENT, SUBSTITUTED, NOT_TESTABLE, NOT_RUN]
SUBSTITUTES = "substitutes"
STATEMENT = re.compile(r"-statement(-[a-z]+)?$")  # ends the name of what a substitute says of a claim
COLUMNS = [
    "claim",
    "document",
    "place",
    "words",
    "meaning",
    "reported",
    "verdict",
    "evidence",
    "contradiction",
    "keys",
    "see",
]
UNPUBLISHED = "not run in the published study, which is older than this claim"


def with_unpublished(published: pd.DataFrame, claims: dict[str, Claim]) -> pd.DataFrame:
    """The verdicts of a published study for today's claims: one that it did not know is *not run*, and says why.

    A claim that means something else today, such as another network, is one that it did not know.

    Args:
        published: as `verdicts` made it, from the claims of its day.
    """
    known = published.set_index("claim", drop=False)
    rows = [
        known.loc[name].to_dict()
        if name in known.index and known.loc[name, "meaning"] == claim.meaning
        else {**row_of(name, claim), "verdict": NOT_RUN, "evidence": UNPUBLISHED, "keys": ""}
        for name, claim in claims.items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def row_of(name: str, claim: Claim) -> dict:
    """What a row of verdicts says of the claim itself."""
    fields = ["document", "place", "words", "meaning", "reported", "contradiction", "see"]
    return {"claim": name, **{field: getattr(claim, field) for field in fields}}


def base(name: str) -> str:
    """The claim that a `-statement` asks of a substitute; any other claim's own name."""
    return STATEMENT.sub("", name)


def as_said(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the claims as their documents say them, without what substitutes were asked."""
    return table[table["claim"].map(base) == table["claim"]]


def counts(table: pd.DataFrame) -> pd.DataFrame:
    """How many claims of each document, and of all, got which verdict as they were said.

    A last row, where there are any, counts what `SUBSTITUTES` were asked: no statement of a document counts twice.
    """
    said = as_said(table)
    counted = pd.crosstab(said["document"], said["verdict"]).reindex(columns=VERDICTS, fill_value=0)
    asked = table.drop(index=said.index)["verdict"].value_counts().reindex(VERDICTS, fill_value=0)
    rows = [counted, counted.sum().to_frame("all").T]
    return pd.concat([*rows, asked.to_frame(SUBSTITUTES).T] if len(said) < len(table) else rows)
