"""What counts as growth, and what does not."""

import pytest

from tests.soak.growth import (
    Allowance,
    Growth,
    LifeReading,
    Reading,
    measure_growth,
    measure_lives,
    rise_per_unit,
    split_lives,
)

TENTH = Allowance(share=0.1, constant=5)


def make_readings(*measures: float) -> list[Reading]:
    return [Reading(10 * number, measure) for number, measure in enumerate(measures)]


def test_a_leak_exceeds_its_allowance_and_a_cache_that_fills_in_the_first_quarter_does_not() -> None:
    leak = measure_growth(make_readings(*(100 + 5 * number for number in range(21))))
    cache = measure_growth(make_readings(*(100 + 20 * min(number, 4) for number in range(21))))
    assert leak == Growth(200, 135, 187.5)
    assert leak.exceeds(TENTH)
    assert cache == Growth(200, 180, 180)
    assert not cache.exceeds(TENTH)


def test_a_single_peak_is_no_growth() -> None:
    peak = measure_growth(make_readings(*[100] * 19, 900, 100))
    assert peak
    assert not peak.exceeds(TENTH)


@pytest.mark.parametrize("count", range(8))
def test_few_readings_say_nothing(count: int) -> None:
    assert measure_growth(make_readings(*[100.0] * count)) is None


def test_readings_at_one_instant_say_nothing() -> None:
    assert measure_growth([Reading(1, 1)] * 20) is None


def test_each_life_of_a_process_is_measured_by_itself() -> None:
    readings = [LifeReading(7, reading) for reading in make_readings(*[100.0] * 12)]
    readings += [LifeReading(8, Reading(1_000 + seconds, 500)) for seconds, _ in make_readings(*[0.0] * 30)]
    assert [len(life) for life in split_lives(readings)] == [12, 30]
    assert measure_lives(readings, seconds_at_least=0) == [Growth(110, 100, 100), Growth(290, 500, 500)]
    assert measure_lives(readings, seconds_at_least=200) == [Growth(290, 500, 500)]


def test_an_allowance_has_a_share_and_a_constant() -> None:
    assert not Growth(60, 100, 115).exceeds(TENTH)
    assert Growth(60, 100, 115.1).exceeds(TENTH)


def test_a_table_rises_alike_or_faster_for_each_request() -> None:
    assert rise_per_unit([(0, 10), (10, 40), (20, 70)]) == (3, 3)
    assert rise_per_unit([(0, 0), (10, 10), (20, 60)]) == (1, 5)
    assert rise_per_unit([(5, 1), (5, 2), (5, 3)]) is None
    assert rise_per_unit([]) is None
