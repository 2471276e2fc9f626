"""The words that a parameter may be, each list written once: distances, indexes, relevances, labels, what the systems
take; and plain numbers.

The code that answers to a word stands under it: the distance `cosine` is `retrieval.distances.cosine`. A kind of photo
is a row of `systems.simulation.DISTURBANCES`, a re-ranking one of `systems.user_photos.RERANKINGS`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import Field

from pipeline.params.backbones import BACKBONES
from pipeline.params.columns import ARTICLE, CLASSES, COLOUR, GENDER, MASTER, PRODUCT, SUB, USAGE

if TYPE_CHECKING:  # words that stand in a table elsewhere are any text to a checker
    Backbone = str
    Label = str
    Relevance = str
    Graded = str
    Column = str
else:
    Backbone = Literal[tuple(BACKBONES)]
    Label = Literal[tuple(CLASSES)]
    Relevance = Literal[ARTICLE, SUB, MASTER, f"{GENDER}+{ARTICLE}", f"{ARTICLE}+{COLOUR}", "product"]
    Graded = Literal[ARTICLE, GENDER, COLOUR, USAGE]
    Column = Literal[(*CLASSES, PRODUCT)]
Distance = Literal["cosine", "euclidean", "manhattan"]
Index = Literal[
    "exact", "brute", "ball_tree", "kd_tree", "clusters", "flat", "ivf", "hnsw", "annoy", "postgres", "postgres_hnsw"
]
# of pictures that are nearly equal: what is different
Near = Literal["recoded", "moved", "recoloured"]
RECODED, MOVED, RECOLOURED = get_args(Near)
# of image and text: what the query's text is
TextMode = Literal["own", "typed", "pseudo"]
OWN_TEXT, TYPED_TEXT, PSEUDO_TEXT = get_args(TextMode)
# of user photos: where they come from, what is done to simulated ones, how they are cropped, what follows the search
PhotoSource = Literal["simulated", "given"]
SIMULATED, GIVEN = get_args(PhotoSource)
PhotoKind = Literal["placed", "cluttered", "rotated", "small", "lit", "compressed", "everything"]
Crop = Literal["whole", "box", "cropper"]
WHOLE, BOX, CROPPER = get_args(Crop)
# of photos of several products: what they lie on, and whose boxes are searched
Ground = Literal["plain", "cluttered"]
PLAIN, CLUTTERED = get_args(Ground)
Way = Literal["whole", "box", "components", "grabcut", "selective search", "detector"]
RerankingKind = Literal["query_expansion", "database_augmentation", "k_reciprocal"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}$")]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Count = Annotated[int, Field(ge=1)]
Colour = Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=3, max_length=3)]


@dataclass(frozen=True)
class Names:
    """Marks a name that a section takes from others: it must stand in one of them."""

    sections: tuple[str, ...]


WeightsName = Annotated[Name, Names(("weights", "finetunes"))]
EncoderName = Annotated[Name, Names(("encoders",))]
RetrievalName = Annotated[Name, Names(("retrievals",))]
FeaturesName = Annotated[Name, Names(("encoders", "bags", "concatenations", "expansions"))]


def retrieval_name(encoder: str, distance: str) -> str:
    """What the retrieval of one encoder's features under one distance is called."""
    return f"{encoder}-{distance}"
