"""kill -9 in the middle of an onboarding: each part lives once, and nobody sees anything twice."""

import random

import pytest

from tests.faults.evidence import gather, gather_onboarding
from tests.faults.joining import SMALL, begin, kill_in_between, until_ended
from tests.faults.oracle import judge, judge_onboarding, most_sends
from tests.faults.town import TEMPORAL, WORKER, Town
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]

DEATHS = (WORKER, TEMPORAL)


@pytest.mark.long
async def test_an_onboarding_outlives_its_worker_and_the_server(shared: Town) -> None:
    await begin(shared, "outliving", SMALL)
    await kill_in_between(shared, "outliving", 2, DEATHS, random.Random(7))  # noqa: S311  no secret
    await until_ended(shared, "outliving")
    joined = await gather_onboarding(shared, "outliving")
    assert joined.view.status is Status.DONE
    assert len(joined.parts) == 2
    assert most_sends(joined) <= 1 + len(DEATHS)
    assert judge_onboarding(joined) == []
    assert judge(await gather(shared, {}, "outliving.")) == []
