"""The stages of the study, a row each: what a stage is stands here and nowhere else.

`graph` writes `dvc.yaml` from these rows, `run` runs them, the report lists their chapters. To add a stage, add a row.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pipeline import params, paths
from pipeline.params import EmbeddingSpace, Study
from pipeline.params.sections import known

DATA, KEY, ITEM = (
    "${data.name}",
    "${key}",
    "${item}",
)  # what DVC puts in: the data's name, an item's name, a list's item
SOURCES = "sources"  # the stage that all others follow from
Given = Callable[[Study, str | None], dict[str, Any]]


@dataclass(frozen=True)
class Stage:
    """One stage.

    `section`: of `params.yaml`, its own. `each`: the stage runs once for every item of its section; `KEY` where these
    have names, `ITEM` where they are a list's. `notebook`: the chapter that is executed, or `work`: `module:function`,
    called with the study (and the item). `given`: what the notebook is given besides the data's name, the item's name
    and the section's values. `params`: further keys that it follows from. `reads`, `writes`, `metrics`, `plots`: files
    as (function of `paths`, its arguments after the data's name, and DVC's options where there are any). `also`: paths
    that it follows from and that `paths` does not make.
    """

    name: str
    does: str
    section: str = ""
    each: str = ""
    notebook: str = ""
    work: str = ""
    given: Given = field(default=lambda study, item: {})
    params: tuple[str, ...] = ()
    reads: tuple[tuple, ...] = ()
    writes: tuple[tuple, ...] = ()
    metrics: tuple[tuple, ...] = ()
    plots: tuple[tuple, ...] = ()
    also: tuple[str, ...] = ()


def _evaluation_file(data: str, name: str) -> Path:
    return paths.evaluation(data) / name


def _finetuning_file(data: str, finetune: str, name: str) -> Path:
    return paths.finetuning(data, finetune) / name


def _every(kind: Callable[[str, str], Path]) -> Callable[[str], Path]:
    """The folder that holds all files of one kind: for a stage that reads those of every item."""
    return lambda data: kind(data, KEY).parent


def _whole_study(study: Study, item: str | None) -> dict[str, Any]:
    """What chapter 5 sets side by side."""
    encoders = study.encoders.items()
    systems = {stage.name: list(getattr(study, stage.section)) for stage in STAGES if stage.section in params.SYSTEMS}
    return {
        "name": None,
        "retrievals": {name: retrieval.model_dump() for name, retrieval in study.retrievals.items()},
        "weights": {name: encoder.weights for name, encoder in encoders},
        "posteriors": {name: encoder.posteriors for name, encoder in encoders if encoder.posteriors},
        "preprocessing": {name: encoder.preprocessing for name, encoder in encoders},
        "concatenations": {name: spec.model_dump() for name, spec in study.concatenations.items()},
        "expansions": {name: spec.model_dump() for name, spec in study.expansions.items()},
        "spaces": study.embedding_space.encoders,
        "chapters": {stage: items for stage, items in systems.items() if items},
        "not_run": study.not_run,
    }


def _system(name: str, section: str, does: str, **row) -> Stage:
    """A smaller document's system: it searches the features of one encoder, and keeps its tables and its numbers."""
    return Stage(
        name,
        does,
        section,
        each=KEY,
        notebook=f"04_{name}",
        writes=((paths.system, name, KEY), (paths.system_values, name, KEY)),
        **row,
    )


CATALOG, IMAGES, INGEST = (paths.catalog,), (paths.images,), (paths.ingest_report,)
FEATURES = (paths.features, "${item.encoder}")
BARS = {"template": "bar_horizontal", "x": "mAP", "y": "retrieval"}
# tables of chapter 5 that a chapter of its own reads
TRAINING = ["finetunes", "concatenations", "one_change", "sequences", "seeds", "serving"]
TABLES = [  # of chapter 5, besides those that DVC draws
    "verdicts",
    "measurements",
    "differences",
    "self_match",
    "thresholds",
    "separation",
    "components",
    "reduction",
    "mistakes",
    "classes",
    *TRAINING,
    "exam",
    "labelled",
    "siblings",
    "within",
    "sample_picture",
    "scaled",
    "crossed",
]
STAGES = (
    Stage(
        SOURCES,
        "the chapters without outputs, so that saving one in JupyterLab reruns nothing; which code each stage runs",
        work="pipeline.sources:run",
        also=("notebooks", "pipeline/notebooks.py", "pipeline/sources.py", "pipeline/stages.py"),
    ),
    Stage(
        "ingest",
        "any source -> one validated catalogue, one zip of images, one report of what was wrong",
        section="data",
        work="pipeline.data.ingest:run",
        also=("${data.watch}",),
        writes=(CATALOG, IMAGES, (paths.user_photos,), (paths.labels,)),
        metrics=(INGEST,),
    ),
    Stage(
        "weights",
        "a weights source -> files that no later stage has to download",
        section="weights",
        each=KEY,
        work="pipeline.encoders.pretrained:run",
        also=("pipeline/encoders/published",),
        writes=((paths.weights, KEY),),
    ),
    Stage(
        "eda",
        "what is in the data, and what is wrong with it",
        section="eda",
        notebook="01_eda",
        reads=(CATALOG, IMAGES, INGEST),
    ),
    Stage(
        "feature_extraction",
        "every image -> a vector",
        section="encoders",
        each=KEY,
        notebook="02_feature_extraction",
        reads=(CATALOG, IMAGES, (paths.weights, "${item.weights}")),
        writes=((paths.features, KEY),),
    ),
    Stage(
        "finetuning",
        "weights -> better weights, with their history and their accuracy",
        section="finetunes",
        each=KEY,
        notebook="03_finetuning",
        reads=(CATALOG, IMAGES, (paths.weights, "${item.init}")),
        writes=((paths.weights, KEY),),
        metrics=((_finetuning_file, KEY, "metrics.json"),),
        plots=((_finetuning_file, KEY, "history.csv", {"x": "epoch", "y": "validation_mAP"}),),
    ),
    Stage(
        "visual_words",
        "a bag of ORB's words for every image, the vocabulary from the train part",
        section="bags",
        each=KEY,
        work="pipeline.encoders.visual_words:run",
        reads=(CATALOG, IMAGES),
        writes=((paths.features, KEY),),
    ),
    Stage(
        "concatenation",
        "two encoders' features as one vector",
        section="concatenations",
        each=KEY,
        work="pipeline.encoders.concatenation:run",
        reads=((paths.features, "${item.first}"), (paths.features, "${item.second}")),
        writes=((paths.features, KEY),),
    ),
    Stage(
        "expansion",
        "every vector beside the same one expanded by its nearest of the train part",
        section="expansions",
        each=KEY,
        work="pipeline.retrieval.expansion:run",
        reads=(CATALOG, FEATURES),
        writes=((paths.features, KEY),),
    ),
    Stage(
        "knn_retrieval",
        "every test query against the gallery: neighbours, scores under every protocol, distances",
        section="retrievals",
        each=KEY,
        notebook="04_knn_retrieval",
        given=lambda study, item: study.knn_retrieval.model_dump(),
        params=("knn_retrieval",),
        reads=(CATALOG, IMAGES, FEATURES),
        writes=((paths.neighbours, KEY), (paths.scores, KEY), (paths.distances, KEY)),
    ),
    _system(
        "index_study",
        "index_studies",
        "what indexes cost and miss; its times are of one machine at one moment, so two runs differ",
        reads=(CATALOG, FEATURES),
    ),
    _system(
        "hybrid",
        "hybrids",
        "image and text similarity, mixed with every weight",
        reads=(CATALOG, IMAGES, FEATURES),
    ),
    _system(
        "user_photos",
        "user_photos",
        "photos that users take, with a box around the product, searched in the catalogue",
        given=lambda study, item: {
            "specs": {name: study.encoders[name].model_dump() for name in study.user_photos[item].encoders}
        },
        params=("encoders",),
        reads=(CATALOG, IMAGES, (paths.user_photos,), (_every(paths.features),), (_every(paths.weights),)),
    ),
    _system(
        "recommendation",
        "recommendations",
        "classify an image, then recommend what is most like it",
        given=lambda study, item: {"weights": study.encoders[study.recommendations[item].encoder].weights},
        params=("encoders.${item.encoder}",),
        reads=(CATALOG, IMAGES, (_every(paths.features),), (_every(paths.weights),)),
    ),
    Stage(
        "embedding_space",
        "how far the labels lie apart, PCA, t-SNE and UMAP; no notebook of its own, chapter 5 shows it",
        section="embedding_space.encoders",
        each=ITEM,
        work="pipeline.evaluation.space:run",
        params=tuple(f"embedding_space.{name}" for name in EmbeddingSpace.model_fields if name != "encoders"),
        reads=(CATALOG, (paths.features, ITEM)),
        writes=((paths.embedding_space, ITEM),),
    ),
    Stage(
        "evaluation",
        "all retrievals side by side, with intervals; every claim's verdict",
        section="evaluation",
        notebook="05_evaluation",
        given=_whole_study,
        params=(
            "encoders",
            "concatenations",
            "expansions",
            "embedding_space.encoders",
            "retrievals",
            *params.SYSTEMS,
            "not_run",
        ),
        reads=(
            CATALOG,
            IMAGES,
            INGEST,
            (paths.labels,),
            (_every(paths.neighbours),),
            (_every(paths.scores),),
            (_every(paths.embedding_space),),
            (_every(paths.features),),
            (_every(paths.weights),),
        ),
        also=("params/claims.yaml",),
        writes=tuple((_evaluation_file, f"{table}.csv") for table in TABLES),
        metrics=tuple((_evaluation_file, name) for name in ("metrics.json", "verdicts.json")),
        plots=(
            (_evaluation_file, "metrics.csv"),
            (_evaluation_file, "mean_average_precision.csv", BARS),
            (_evaluation_file, "precision_at_k.csv", {"x": "k", "y": "precision"}),
        ),
    ),
    Stage(
        "training_chapter",
        "shows what training does, from the evaluation's tables; trains nothing",
        notebook="05_training",
        given=lambda study, item: {"weights": {name: encoder.weights for name, encoder in study.encoders.items()}},
        params=("data.name", "encoders"),
        reads=(INGEST, *((_evaluation_file, f"{table}.csv") for table in ("metrics", *TRAINING))),
    ),
    Stage(
        "verdicts_chapter",
        "shows every claim's verdict, from the evaluation's table",
        notebook="05_verdicts",
        params=("data.name",),
        reads=(INGEST, (_evaluation_file, "verdicts.csv")),
        also=("params/claims.yaml",),
    ),
    Stage(
        "reenactment",
        "the thesis's own experiment, page by page, beside what was measured",
        section="reenactment",
        notebook="07_thesis",
        given=lambda study, item: {
            "retrievals": {name: retrieval.model_dump() for name, retrieval in study.retrievals.items()},
            "spaces": study.embedding_space.encoders,
        },
        params=("retrievals", "embedding_space.encoders"),
        reads=(
            CATALOG,
            IMAGES,
            (_every(paths.features),),
            (_every(paths.neighbours),),
            (_every(paths.embedding_space),),
            (_evaluation_file, "verdicts.csv"),
        ),
    ),
    Stage(
        "report",
        "every executed notebook as a page with its code folded, and an index that links them",
        section="data",
        work="pipeline.report.pages:run",
        params=(
            "weights",
            "encoders",
            "concatenations",
            "expansions",
            "finetunes",
            "retrievals",
            *params.SYSTEMS,
            "not_run",
        ),
        reads=(
            (paths.notebooks,),
            *((_evaluation_file, name) for name in ("metrics.json", "metrics.csv", "verdicts.csv")),
            INGEST,
        ),
        also=("pipeline/report/templates",),
        writes=((paths.report,),),
    ),
)


def check() -> None:
    """Raises ValueError for a row that says what cannot be: names the stage and, of a wrong name, the nearest."""
    names = [stage.name for stage in STAGES]
    for stage in STAGES:
        _check_names(stage)
        if bool(stage.notebook) == bool(stage.work):
            raise ValueError(f"stage {stage.name} needs a notebook or work, one of the two")
        if names.count(stage.name) > 1:
            raise ValueError(f"{stage.name!r} names two stages")


def _check_names(stage: Stage) -> None:
    """Every key of `params.yaml` that a row names, and every field of its items."""
    where, fields = f"stage {stage.name}", {name: _fields(name) for name in Study.model_fields}
    for what, key in [("section", stage.section or "data"), *(("params", key) for key in stage.params)]:
        section, *inner = key.split(".")
        known(where, what, section, fields)
        if inner and "$" not in inner[0] and not _is_of_items(section):
            known(where, f"{what}: {section}", inner[0], fields[section])
    files = [*stage.reads, *stage.writes, *stage.metrics, *stage.plots]
    words = [*stage.params, *(word for file in files for word in file if isinstance(word, str))]
    for name in re.findall(r"\$\{item\.(\w+)\}", " ".join(words)):
        known(where, "${item.…}", name, fields[stage.section] if stage.each == KEY else [])


def _is_of_items(section: str) -> bool:
    """Whether a section holds items by their names, and not settings."""
    return bool(get_args(Study.model_fields[section].annotation))


def _fields(section: str) -> list[str]:
    """The fields of a section's items, or its own where it holds settings; none where its items are words."""
    kind = Study.model_fields[section].annotation
    model = get_args(kind)[1] if _is_of_items(section) else kind
    return list(getattr(model, "model_fields", ()))


def find(name: str) -> Stage:
    """The stage of a name."""
    return next(stage for stage in STAGES if stage.name == name)


def makers(kind: Callable[..., Path], item: str) -> str:
    """What makes an item's file of a kind, a function of `paths`: its stages, of which one has such an item.

    >>> makers(paths.features, "arcface")
    'feature_extraction@arcface, or visual_words@arcface, or concatenation@arcface, or expansion@arcface'
    """
    return ", or ".join(f"{stage.name}@{item}" for stage in STAGES if any(file[0] is kind for file in stage.writes))


def follows() -> dict[str, list[str]]:
    """By stage, the stages that make what it reads, in the table's order; one that reads nothing follows none.

    Of two that make what the other reads the later one follows: a concatenation is never of an expansion.
    """
    made = {stage.name: {_kind(file) for file in [*stage.writes, *stage.metrics]} for stage in STAGES}
    read = {stage.name: {_kind(file) for file in stage.reads} for stage in following()}
    order = list(made)

    def after(name: str, other: str) -> bool:
        return order.index(other) < order.index(name) or not made[name] & read.get(other, set())

    return {
        name: [other for other, kinds in made.items() if other != name and kinds & wanted and after(name, other)]
        for name, wanted in read.items()
    }


def _kind(file: tuple) -> Path:
    """Where files of one kind lie: a file's path up to what an item's name stands in."""
    function, *arguments = file
    place = function(DATA, *(one for one in arguments if isinstance(one, str))).relative_to(paths.ROOT)
    named = [part for part in place.parts if "${key}" in part or "${item" in part]
    return Path(*place.parts[: place.parts.index(named[0])]) if named else place


def chapters() -> list[Stage]:
    """The stages that execute a notebook, in reading order."""
    return sorted((stage for stage in STAGES if stage.notebook), key=lambda stage: stage.notebook[:2])


def items_of(study: Study, stage: Stage) -> list[str] | None:
    """The names that a stage runs once for each; None for a stage that runs once."""
    if not stage.each:
        return None
    section: Any = study
    for part in stage.section.split("."):
        section = getattr(section, part)
    return list(section)


def names(study: Study, stage: Stage) -> list[str]:
    """A stage of a study as DVC's lock names it: once, or with each of its items."""
    items = items_of(study, stage)
    return [stage.name] if items is None else [f"{stage.name}@{item}" for item in items]


def following() -> list[Stage]:
    """All stages but the first, which says what code each of these runs."""
    return [stage for stage in STAGES if stage.name != SOURCES]


def parameters(study: Study, stage: Stage, item: str | None) -> dict[str, Any]:
    """What a stage's notebook is given: the names in its parameters cell with this run's values."""
    own: dict[str, Any] = {}
    if stage.section:
        section = getattr(study, stage.section)
        own = {"name": item, **section[item].model_dump()} if stage.each else section.model_dump()
    return {"data": study.data.name, **own, **stage.given(study, item)}
