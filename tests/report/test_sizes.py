"""Sizes on paper are proportions of what was measured."""

import pytest

from pipeline.report import sizes

RATES = sizes.Rates(extracted=100.0, ranked=500.0)


def test_a_million_pictures_take_what_a_hand_calculation_says():
    one = sizes.size(1e6, RATES)
    assert one.extraction == pytest.approx(10_000 / 3600)  # 100 a second
    assert one.ranking == pytest.approx(20 * 1e6 / 44_441 / 3600)  # 10,000 queries at 500 a second, 22.5 times over
    assert one.memory == pytest.approx(10.24)  # 1,280 numbers of 4 bytes, twice
    assert (one.pictures, one.features) == pytest.approx((2.476, 5.478))


def test_above_ten_million_features_are_mapped_and_held_once_where_they_are_ranked_whole():
    least, more = sizes.size(10_000_000, RATES), sizes.size(10_000_001, RATES)
    assert (least.features, least.memory) == pytest.approx((54.78, 102.4))
    assert (more.features, more.memory) == pytest.approx((51.32, 51.2))


def test_twice_the_pictures_take_twice_as_much():
    one, two = sizes.size(3e6, RATES), sizes.size(6e6, RATES)
    assert [b / a for a, b in zip(one, two, strict=True)] == pytest.approx([2] * 5)


def test_at_its_limit_a_part_takes_a_day_or_all_memory():
    limits = sizes.limits(RATES)
    assert sizes.size(limits["extraction"], RATES).extraction == pytest.approx(24)
    assert sizes.size(limits["ranking"], RATES).ranking == pytest.approx(24)
    assert sizes.size(limits["memory"], RATES).memory == pytest.approx(32)


def test_the_rates_are_those_of_the_benchmarks():
    rates = sizes.measured()
    assert 1 < rates.extracted < 1e5 and 1 < rates.ranked < 1e5
