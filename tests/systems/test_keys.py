"""The keys of the systems: a list per stage, which who only names keys can read without the systems."""

import pytest

from pipeline import params, sources, stages
from pipeline.evaluation import keys
from pipeline.systems.keys import KEYS

NAMES = {"user_photos": ["s003"], "user_photos.encoders": ["arcface"]}


def test_keys_are_those_of_a_systems_stage_and_begin_with_its_name():
    assert set(KEYS) == {stage.name for stage in stages.STAGES if stage.section in params.SYSTEMS}
    for name, patterns in KEYS.items():
        assert patterns and all(pattern[0] == name for pattern in patterns)


def test_who_reads_the_keys_follows_no_systems_code():
    chapter = sources.code_of(stages.find("evaluation"))
    assert [module for module in chapter if module.startswith("pipeline.systems.")] == ["pipeline.systems.keys"]


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("box/placed/product/AP", ""),
        ("box+query expansion/given/own picture/AP", ""),
        ("cropper/all kinds/articleType/AP", ""),
        ("boxes/placed/product/AP", "Did you mean 'box'?"),
        ("box/blurred/product/AP", "'blurred' is none of"),
        ("whole+/placed/product/AP", "is none of"),
    ],
)
def test_a_photos_key_names_its_crop_what_followed_the_search_and_its_kind(key, fault):
    found = keys.fault(f"user_photos/s003/arcface/{key}", KEYS["user_photos"], NAMES)
    assert fault in found
    assert bool(fault) == bool(found)


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("selective search/plain/recall", ""),
        ("whole/all grounds/boxes", ""),
        ("arcface/detector/cluttered/hit@10", ""),
        ("arcface/detectors/cluttered/AP", "Did you mean 'detector'?"),
        ("arcface/detector/cluttered/recall", "is none of"),
        ("detector/cluttered/AP", "is none of"),
    ],
)
def test_a_composites_key_names_the_way_and_the_ground_and_of_searches_the_encoder(key, fault):
    found = keys.fault(f"user_photos/s003/composites/{key}", KEYS["user_photos"], NAMES)
    assert fault in found
    assert bool(fault) == bool(found)
