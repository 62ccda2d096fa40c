"""kill -9: nothing that was acknowledged is lost, and nobody sees a notice twice."""

import pytest

from tests.faults.evidence import gather
from tests.faults.nemesis import storm
from tests.faults.oracle import judge
from tests.faults.races import wait_for_ends, waiting
from tests.faults.town import TEMPORAL, Town, eventually
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.long
async def test_a_killed_server_comes_back_with_everything_and_no_callback_is_lost(shared: Town) -> None:
    """A11, D6: while it is dead every callback is answered 500, which asks for another one; nothing else is needed."""
    names = await waiting(shared, "outlived", 3)
    last_entry = await shared.vendor.last()
    async with shared.outage(TEMPORAL):
        for name in names:
            await shared.sign(name)
        turned_away = await eventually(
            lambda: shared.vendor.ledger("callback", last_entry, external_id=names[-1]), timeout_seconds=60
        )
    assert {callback["status"] for callback in turned_away} == {500}
    assert {view.status for view in await wait_for_ends(shared, names)} == {Status.SIGNED}
    assert judge(await gather(shared, {}, "outlived")) == []


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_storm_of_failures_and_deaths_loses_nothing_and_shows_nothing_twice(shared: Town) -> None:
    """The first seconds of what `make chaos` does for five minutes: twenty requests, always with the same dice."""
    ran = await storm(shared, "stormy", requests=20, seconds=12, seed=7)
    assert judge(ran.evidence) == []
    assert {life.view.status for life in ran.evidence.lives.values()} == {Status.SIGNED}
    assert (len(ran.evidence.acknowledged), ran.killed.total() > 0) == (20, True)
