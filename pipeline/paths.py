"""Where every file of a run lives: one function per kind of file, all below `outputs/<data>/`."""

import zipfile
from pathlib import Path

from platformdirs import user_cache_path

_BESIDE = Path(__file__).resolve().parents[1]
CHECKOUT = (_BESIDE / "params" / "config.yaml").exists()  # else the code alone is installed, without the study
ROOT = _BESIDE if CHECKOUT else user_cache_path("fashion-retrieval-study")
BUILD = ROOT / "build"  # work in progress: never tracked, safe to delete
PARAMS = ROOT / "params.yaml"
GRAPH = ROOT / "dvc.yaml"
SUITES = ROOT / "params"  # what can be chosen
BENCH = ROOT / "reference" / "bench.json"
CLAIMS = SUITES / "claims.yaml"
PUBLISHED = Path(__file__).parent / "encoders" / "published"  # encoders that come along, a folder each


def outputs(data: str) -> Path:
    """The folder of one data source's results."""
    return ROOT / "outputs" / data


def catalog(data: str) -> Path:
    """The validated catalogue, one row per readable image."""
    return outputs(data) / "catalog.parquet"


def images(data: str) -> Path:
    """The catalogue's images in one zip."""
    return outputs(data) / "images.zip"


def open_images(data: str) -> zipfile.ZipFile:
    """The catalogue's images, opened to read."""
    return zipfile.ZipFile(images(data))


def user_photos(data: str) -> Path:
    """The photos that came with the data, with their boxes, in one zip; an empty one where there are none."""
    return outputs(data) / "user_photos.zip"


def ingest_report(data: str) -> Path:
    """What ingestion counted, repaired and left out, by id."""
    return outputs(data) / "ingest.json"


def machine(data: str) -> Path:
    """The machine of the last run that made something; DVC does not follow it, since no number may."""
    return outputs(data) / "machine.json"


def made(data: str) -> Path:
    """How each stage of the last runs came about, run or taken from an earlier run; DVC does not follow it either."""
    return outputs(data) / "made.json"


def verified(data: str) -> Path:
    """A folder with what `verify` last found: a page and a receipt."""
    return outputs(data) / "verified"


def receipts(data: str) -> Path:
    """A folder with what others found when they ran the study again, kept in git."""
    return ROOT / "receipts" / data


def exported(data: str, encoder: str) -> Path:
    """A folder with one encoder as files for other programs, and their card."""
    return outputs(data) / "exported" / encoder


def packed(data: str, encoder: str) -> Path:
    """A folder with one encoder to give away: weights in half precision, and their card."""
    return outputs(data) / "packed" / encoder


def labels(data: str) -> Path:
    """How often `styles.csv` uses each label, before any row is left out for want of an image."""
    return outputs(data) / "labels.csv"


def weights(data: str, name: str) -> Path:
    """A folder with `backbone.weights.h5`, `head.weights.h5` where a head was trained, and `card.json`."""
    return outputs(data) / "weights" / name


def features(data: str, encoder: str) -> Path:
    """The SQLite file of one encoder's features; of more than ten million pictures it is a folder."""
    return outputs(data) / "features" / f"{encoder}.sqlite"


def finetuning(data: str, name: str) -> Path:
    """A folder with `history.csv` and `metrics.json` of one finetune."""
    return outputs(data) / "finetuning" / name


def neighbours(data: str, retrieval: str) -> Path:
    """The nearest neighbours of every query under one retrieval."""
    return outputs(data) / "neighbours" / f"{retrieval}.parquet"


def scores(data: str, retrieval: str) -> Path:
    """Every query's scores under one retrieval."""
    return outputs(data) / "scores" / f"{retrieval}.parquet"


def distances(data: str, retrieval: str) -> Path:
    """How many pairs of images lie how far apart under one retrieval."""
    return outputs(data) / "scores" / f"{retrieval}.distances.parquet"


def embedding_space(data: str, encoder: str) -> Path:
    """A folder with what was measured and drawn of one encoder's features."""
    return outputs(data) / "embedding_space" / encoder


def system(data: str, stage: str, name: str) -> Path:
    """A folder with the tables of one smaller document's system."""
    return outputs(data) / "systems" / stage / name


def detector(data: str, name: str) -> Path:
    """What finds several products in one photo, as a study of user photos trained it."""
    return system(data, "user_photos", name) / "detector.npz"


def system_values(data: str, stage: str, name: str) -> Path:
    """The numbers of one system by key; beside the scores, which chapter 5 reads as a whole."""
    return outputs(data) / "scores" / f"{stage}.{name}.parquet"


def trec(data: str, retrieval: str) -> Path:
    """A folder with one retrieval's rankings and what is relevant, in TREC's forms."""
    return outputs(data) / "trec" / retrieval


def evaluation(data: str, trial: str | None = None) -> Path:
    """A folder with the tidy table, DVC's metrics and the plots' data; `trial` names one that was run by hand."""
    folder = outputs(data) / "evaluation"
    return folder / trial if trial else folder


def source_notebook(name: str) -> Path:
    """A notebook as it is read and changed."""
    return ROOT / "notebooks" / f"{name}.ipynb"


def clean_notebook(name: str) -> Path:
    """A notebook's source without outputs: what the graph follows."""
    return BUILD / "notebooks" / f"{name}.ipynb"


def code(stage: str) -> Path:
    """The digests of the code that a stage runs: what the graph follows."""
    return BUILD / "code" / f"{stage}.json"


def notebooks(data: str) -> Path:
    """The folder of executed notebooks."""
    return outputs(data) / "notebooks"


def executed(data: str, notebook: str, item: str | None) -> Path:
    """The executed copy of a notebook; `item` where one notebook runs once per encoder, finetune or retrieval."""
    folder = notebooks(data)
    return folder / notebook / f"{item}.ipynb" if item else folder / f"{notebook}.ipynb"


def site(data: str) -> Path:
    """What people added to the site or took off it."""
    return outputs(data) / "site"


def report(data: str) -> Path:
    """The folder of rendered pages; `index.html` links them all."""
    return outputs(data) / "report"


def overview(data: str) -> Path:
    """The page that a run ends with; DVC does not follow it, since the published study stands in it too."""
    return outputs(data) / "index.html"


def reference(data: str) -> Path:
    """A published run's numbers, kept in git."""
    return ROOT / "reference" / data
