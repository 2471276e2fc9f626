"""The keys of each system's measurements, by its stage, and the words that keys and systems share.

Light: who asks what a key may be follows no system's code.
"""

import re
from typing import get_args

from pipeline.evaluation.keys import COUNT, Of, Pattern
from pipeline.params.kinds import BOX, CROPPER, GIVEN, WHOLE, Index, PhotoKind, Relevance, TextMode

# what indexes cost and miss, and the name of the gallery's own numbers
COSTS = ["build s", "memory MB", "single p50 ms", "single p95 ms", "batch p50 ms", "batch p95 ms", "overlap"]
ALL = "all"
# user photos: what only they can find, and all kinds of them together
OWN_PICTURE = "own picture"
ALL_KINDS = "all kinds"
# a classifier, and pictures that are found twice
ACCURACY = ["accuracy", "macro F1", "classes", "commonest", "by shares"]
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
            "mAP",
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
    ],
    "recommendation": [("recommendation", Of(("recommendations",)), [*ACCURACY, *TWICE])],
}
