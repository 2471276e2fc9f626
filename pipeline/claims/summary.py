"""The table of verdicts: its words and its columns, how many claims got which, and claims newer than a publication."""

import pandas as pd

from pipeline.claims.claim import Claim

REPRODUCED, DIFFERS, CONTRADICTED = "reproduced", "differs", "contradicted"
INCONSISTENT, NOT_TESTABLE, NOT_RUN = "inconsistent in the document", "not testable", "not run"
VERDICTS = [REPRODUCED, DIFFERS, CONTRADICTED, INCONSISTENT, NOT_TESTABLE, NOT_RUN]
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


def counts(table: pd.DataFrame) -> pd.DataFrame:
    """How many claims of each document got which verdict."""
    counted = pd.crosstab(table["document"], table["verdict"]).reindex(columns=VERDICTS, fill_value=0)
    return pd.concat([counted, counted.sum().to_frame("all").T])
