"""The smaller systems' tables say what their files have, in the order and the words of their page."""

import pandas as pd
import pytest

from pipeline.report import publication, system_tables


@pytest.fixture
def run(tmp_path):
    return publication.Published("a_run", tmp_path)


def written(run, name, rows):
    path = run.place / f"systems/{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)


def test_an_index_has_its_times_at_each_number_of_components_and_in_the_largest_gallery(run):
    sizes = [(1280, 1000), (1280, 40000), (256, 40000), (64, 40000), (64, 900000)]
    rows = [
        {
            "index": name,
            "components": components,
            "pictures": pictures,
            "build s": 0.456,
            "memory MB": 222.6,
            "single p50 ms": 6.94,
            "single p95 ms": 12.4,
            "batch p50 ms": 1000.4 * place + row,
            "overlap": 1 - row / 10,
        }
        for row, name in enumerate(["hnsw", "exact"])
        for place, (components, pictures) in enumerate(sizes)
    ]
    written(run, "index_study/s000/indexes", rows)
    head, found = system_tables.indexes(run)
    assert head[-3:] == ["256 queries after PCA to 256", "64", "900,000 × 64 (overlap@10)"]
    exact = ["0.46", "223", "6.9 (12)", "1,001", "0.900", "2,002", "3,002", "4,003 (0.900)"]
    assert found == [
        ["exact (one product, then the largest)", *exact],
        ["faiss HNSW, M 32, ef 128", *exact[:3], "1,000", "1.000", "2,001", "3,001", "4,002 (1.000)"],
    ]


def test_a_mode_has_its_best_weight_with_what_that_gains_and_the_documents_weight(run):
    rows = [
        {
            "text": text,
            "mode": mode,
            "relevance": relevance,
            "weight": weight,
            "mAP": 0.5 + weight / 10,
            "gain": weight - 0.5,
            "gain low": weight - 0.6,
            "gain high": weight - 0.4,
            "best": 0.3,
            "best low": 0.2,
            "best high": 0.4,
        }
        for text, mode, relevance, *_ in system_tables.MODES
        for weight in (1.0, 0.7, 0.3)
    ]
    written(run, "hybrid/s002/weights", rows)
    _, found = system_tables.hybrid(run)
    assert [row[:3] for row in found] == [words for *_, words in ((m[0], list(m[3:])) for m in system_tables.MODES)]
    assert {tuple(row[3:]) for row in found} == {(".600", ".570", ".3 [.2, .4]", "−.200 [−.300, −.100]")}


def test_photos_are_shown_by_product_and_by_type_for_each_crop(run):
    values = {
        system_tables._photo(name, crop, what): (100 * row + 10 * place + len(what)) / 1000
        for row, name in enumerate(system_tables.PHOTOS)
        for place, crop in enumerate(system_tables.CROPS)
        for what in ("product", "articleType")
    }
    run.__dict__["values"] = values
    head, found = system_tables.photos(run)
    assert head[1:3] == ["same product: box", "same product: cropper"]
    assert found[1] == ["ArcFace at 64×48, half of the products", ".107", ".117", ".127", ".111", ".121", ".131"]
    assert [row[0] for row in found] == list(system_tables.PHOTOS.values())
