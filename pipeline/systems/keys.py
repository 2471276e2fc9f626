"""The keys of each system's measurements, by its stage, and the words that keys and systems share.

Light: who asks what a key may be follows no system's code.
"""

import re
from typing import get_args

from pipeline.evaluation.keys import COUNT, Of, Pattern
from pipeline.params.kinds import BOX, CROPPER, GIVEN, WHOLE, Ground, Index, PhotoKind, Relevance, TextMode, Way

# what indexes cost and miss, and the name of the gallery's own numbers
COSTS = ["build s", "memory MB", "single p50 ms", "single p95 ms", "batch p50 ms", "batch p95 ms", "overlap"]
ALL = "all"
# user photos: what only they can find, and all kinds of them together
OWN_PICTURE = "own picture"
ALL_KINDS = "all kinds"
# photos of several products: both grounds together, what is said of boxes, and of searching with them
COMPOSITES, ALL_GROUNDS = "composites", "all grounds"
BOXES = ["recall", "boxes"]
SEARCHED = ["hit@1", "hit@10", "AP"]
# a classifier, and pictures that are found twice
ACCURACY = ["accuracy", "macro F1", "weighted F1", "classes", "commonest", "by shares"]
FOREST = ["forest accuracy", "forest macro F1", "forest weighted F1"]
TWICE = ["pictures", "first is the same picture", "equal vectors", "above 1", "largest"]
SHARE = re.compile(r"0(\.\d+)?|1")
BETTER_CROP = re.compile(rf"({WHOLE}|{BOX}|{CROPPER})\+[a-z][a-z \-]*")  # with what was done after the search
KEYS: dict[str, list[Pattern]] = {
    "index_study": [
        ("index_study", Of(("index_studies",)), list(get_args(Index)), [ALL, COUNT], [ALL, COUNT], COSTS),
    ],
    "hybrid": [
        (
            "hybrid",
            Of(("hybrids",)),
            Of(("hybrids.texts",)),
            list(get_args(TextMode)),
            [SHARE],
            list(get_args(Relevance)),
            ["mAP", "F1@5"],
        ),
    ],
    "user_photos": [
        (
            "user_photos",
            Of(("user_photos",)),
            Of(("user_photos.encoders",)),
            [WHOLE, BOX, CROPPER, BETTER_CROP],
            [*get_args(PhotoKind), GIVEN, ALL_KINDS],
            [*get_args(Relevance), OWN_PICTURE],
            "AP",
        ),
        (
            "user_photos",
            Of(("user_photos",)),
            COMPOSITES,
            list(get_args(Way)),
            [*get_args(Ground), ALL_GROUNDS],
            BOXES,
        ),
        (
            "user_photos",
            Of(("user_photos",)),
            COMPOSITES,
            Of(("user_photos.encoders",)),
            list(get_args(Way)),
            [*get_args(Ground), ALL_GROUNDS],
            SEARCHED,
        ),
    ],
    "recommendation": [("recommendation", Of(("recommendations",)), [*ACCURACY, *FOREST, *TWICE])],
}
