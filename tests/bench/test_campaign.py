"""The bench of a campaign: its arithmetic; itself it is run by `.ci/run`, with 300 people."""

from pathlib import Path

import pytest

from tests.bench.campaign import Measured, Part, PartFigures, Say, measure
from tests.bench.engine import Engine
from tests.bench.history import NotAsAsked


def test_what_the_floor_has_too_is_compared_and_the_rest_has_an_aim_of_its_own() -> None:
    measured = Measured(
        1_000, Engine.SQLITE, {"rate": 45.0, "settle_s": 61.0, "signed_per_second": 9.0}, {"rate": 50.0}
    )
    assert measured.as_json() == {
        "campaign.rate": {"ours": 45.0, "people": 1_000, "floor": 50.0, "ratio": 0.9},
        "campaign.settle_s": {"ours": 61.0, "people": 1_000},
        "campaign.signed_per_second": {"ours": 9.0, "people": 1_000},
    }
    people, rate, settle, signed, *_ = measured.in_words().plain.splitlines()
    assert people == "1,000 people, SQLite"
    assert rate == "campaign.rate: 45 beside 50, 0.90 × (aim ≥ 0.95 ×)"
    assert settle == "campaign.settle_s: 61 (aim ≤ 60)"
    assert signed == "campaign.signed_per_second: 9"


async def test_a_bench_that_was_broken_off_goes_on_behind_what_it_has_measured(tmp_path: Path) -> None:
    """G9: what was measured of other numbers of people stays theirs, and nothing is kept of a bench that is done."""
    ran: list[tuple[str, int]] = []

    def make_part(name: str, figures: PartFigures, *, dies: bool = False) -> Part:
        async def measure_part(people: int, _: Say, engine: Engine) -> PartFigures:
            ran.append((name, people))
            assert engine is Engine.POSTGRESQL
            if dies:
                raise NotAsAsked("broken off")
            return figures

        return measure_part

    product, raw, least = make_part("campaign", {"rate": 9.0}), make_part("raw", {"rate": 10.0}), make_part("least", {})
    broken = {"campaign": product, "raw": make_part("raw", {}, dies=True), "least": least}
    for people in (7, 8):
        with pytest.raises(NotAsAsked):
            await measure(people, Engine.POSTGRESQL, tmp_path, broken)
    resumed = await measure(7, Engine.POSTGRESQL, tmp_path, {"campaign": product, "raw": raw, "least": least})
    assert ran == [("campaign", 7), ("raw", 7), ("campaign", 8), ("raw", 8), ("raw", 7), ("least", 7)]
    assert resumed == Measured(7, Engine.POSTGRESQL, {"rate": 9.0}, {"rate": 10.0})
    assert [(tmp_path / f"{people}-PostgreSQL.json").exists() for people in (7, 8)] == [False, True]
