"""Parameters of vectors that are expanded by their neighbours."""

from typing import Annotated

from pydantic import Field

from pipeline.params.kinds import Count, Name, Names
from pipeline.params.sections import Section


class Expansion(Section):
    """An encoder's vectors beside the same ones, each expanded by its nearest of the train part."""

    encoder: Annotated[Name, Names(("encoders", "concatenations"))]
    neighbours: Count
    alpha: Annotated[float, Field(ge=0)]  # the power of the similarity that weighs them
    share: Annotated[float, Field(gt=0, le=1)]  # of the expanded vector in a cosine; 1: nothing else
