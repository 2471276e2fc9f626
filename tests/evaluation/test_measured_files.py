"""Files that earlier stages made, damaged and missing."""

import pytest

from pipeline import paths
from pipeline.evaluation import space_tables, study, tables, threshold_choice

pytestmark = pytest.mark.usefixtures("in_measured")


@pytest.mark.parametrize(
    ("path", "work", "stage"),
    [
        (lambda: paths.scores("sample", "it"), lambda: study.scores("sample", "it"), "knn_retrieval@it"),
        (
            lambda: paths.distances("sample", "it"),
            lambda: threshold_choice.measure("sample", ["it"], []),
            "knn_retrieval@it",
        ),
        (
            lambda: paths.embedding_space("sample", "encoder") / "measures.json",
            lambda: space_tables.separations("sample", ["encoder"]),
            "embedding_space@encoder",
        ),
    ],
)
def test_a_damaged_or_missing_file_is_named_with_the_stage_that_makes_it(path, work, stage):
    whole = path().read_bytes()
    try:
        for data in (whole[: len(whole) // 2], b"", None):
            path().unlink()
            if data is not None:
                path().write_bytes(data)
            with pytest.raises(tables.TableError, match=f"{path().name}.*dvc repro -f -s {stage}"):
                work()
            path().touch()
    finally:
        path().write_bytes(whole)
