"""What the four smaller documents' systems reached in a published run, as tables for their page."""

from pipeline.report.numbers import decimal, signed
from pipeline.report.publication import Published

INDEXES = {
    "exact": "exact (one product, then the largest)",
    "brute": "scikit-learn's brute force",
    "ball_tree": "ball tree",
    "kd_tree": "k-d tree",
    "flat": "faiss flat",
    "ivf": "faiss IVF, an eighth of √G cells",
    "hnsw": "faiss HNSW, M 32, ef 128",
    "annoy": "Annoy, 50 trees",
}
# of document 002's table: the gallery's text, whose words the query has, what is relevant, and how both are told
MODES = [
    ("labels", "own", "product", "labels, no name", "own, a catalogue item asks", "same product"),
    ("labels", "typed", "product", "labels, no name", "typed: gender, colour, type", "same product"),
    ("labels", "pseudo", "product", "labels, no name", "pseudo, a photo alone", "same product"),
    ("name", "pseudo", "articleType", "name", "pseudo, a photo alone", "articleType"),
    ("name", "own", "articleType", "name", "own", "articleType, *circular*"),
    ("name_without_labels", "own", "articleType", "name without all labels' words", "own", "articleType"),
    ("name_without_labels", "pseudo", "articleType", "name without all labels' words", "pseudo", "articleType"),
]
PHOTOS = {  # of document 003's table: the system and the encoder, and what it is
    ("s003", "efficientnet_lite0_pad"): "pretrained, 224, padded",
    ("s003", "arcface"): "ArcFace at 64×48, half of the products",
    ("s003", "arcface_xbm"): "… then cross-batch memory at 80×64",
    ("finetuned", "joint_head"): "a head on the frozen network, 224 (`joint_head`)",
    ("finetuned", "joint"): "one network, 128×96 (`joint`)",
}
CROPS = ["box", "cropper", "whole"]


def indexes(run: Published) -> tuple[list[str], list[list[str]]]:
    """Each index over all pictures at all numbers, after PCA, and over the largest gallery: columns and rows."""
    table = run.table("systems/index_study/s000/indexes")
    largest = table["pictures"].max()
    catalogue = table.loc[table["components"] == table["components"].max(), "pictures"].max()
    whole = table[table["pictures"] == catalogue].set_index(["index", "components"])
    grown = table[table["pictures"] == largest].set_index("index")
    components = sorted({number for _, number in whole.index}, reverse=True)
    head = ["", "build, s", "memory, MB", "one query, ms p50 (p95)", "256 queries, ms", "overlap@10"]
    head += [f"256 queries after PCA to {components[1]}", *map(str, components[2:])]
    head += [f"{largest:,} × {components[-1]} (overlap@10)"]
    rows = []
    for name, words in INDEXES.items():
        if name not in grown.index:  # Annoy is measured where it is installed
            continue
        one, million = whole.loc[(name, components[0])], grown.loc[name]
        single = f"{_time(one['single p50 ms'])} ({_time(one['single p95 ms'])})"
        cells = [_time(one["build s"]), f"{one['memory MB']:.0f}", single, _time(one["batch p50 ms"])]
        cells += [f"{one['overlap']:.3f}", *(_time(whole.loc[(name, n), "batch p50 ms"]) for n in components[1:])]
        rows.append([words, *cells, f"{_time(million['batch p50 ms'])} ({million['overlap']:.3f})"])
    return head, rows


def hybrid(run: Published) -> tuple[list[str], list[list[str]]]:
    """Image and text: the image alone, document 002's weight and the best one, by the query's words."""
    table = run.table("systems/hybrid/s002/weights").set_index(["text", "mode", "relevance", "weight"]).sort_index()
    rows = []
    for text, mode, relevance, *words in MODES:
        found = table.loc[(text, mode, relevance)]
        best = found.loc[found["best"].iloc[0]]
        at = f"{decimal(best['best'], 1)} [{decimal(best['best low'], 1)}, {decimal(best['best high'], 1)}]"
        gain = f"{signed(best['gain'])} [{signed(best['gain low'])}, {signed(best['gain high'])}]"
        rows.append([*words, decimal(found.loc[1.0, "mAP"]), decimal(found.loc[0.7, "mAP"]), at, gain])
    head = ["text of the gallery", "the query's text", "relevant", "image alone", "0.7 image", "best weight"]
    return [*head, "gain at the best"], rows


def photos(run: Published) -> tuple[list[str], list[list[str]]]:
    """User photos of all kinds: AP by product and by article type, for each crop."""
    rows = [
        [
            words,
            *(decimal(run.values[_photo(name, crop, what)]) for what in ("product", "articleType") for crop in CROPS),
        ]
        for name, words in PHOTOS.items()
    ]
    return ["", *(f"{what}: {crop}" for what in ("same product", "articleType") for crop in CROPS)], rows


def _photo(name: tuple[str, str], crop: str, relevance: str) -> str:
    """The key of what is found for photos of all kinds."""
    return f"user_photos/{name[0]}/{name[1]}/{crop}/all kinds/{relevance}/AP"


def _time(value: float) -> str:
    """Two digits of a small number, a large one whole.

    >>> _time(0.4567), _time(8.51), _time(39.2), _time(9785.3)
    ('0.46', '8.5', '39', '9,785')
    """
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"
