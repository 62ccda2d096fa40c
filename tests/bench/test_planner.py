"""The planner's pace, with room for slow machines: the aim itself is measured by `make bench BENCH=planner`."""

import pytest

from tests.bench import planner

pytestmark = pytest.mark.long


async def test_a_tenth_of_the_agendas_takes_less_than_the_time_for_all() -> None:
    planned = await planner.measure(planner.AGENDAS // 10)
    assert planned.moments >= 8 * planned.agendas
    assert planned.seconds < planner.AIM_SECONDS
    assert planned.as_json()["planner.cpu_s"]["agendas"] == 1_000


def test_the_aim_is_for_ten_thousand() -> None:
    assert planner.Planned(agendas=1_000, moments=1, seconds=0.9).is_met
    assert not planner.Planned(agendas=1_000, moments=1, seconds=1.1).is_met
