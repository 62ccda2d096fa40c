"""A campaign on a server as it runs in production: its visibility, its clock moved with those of its requests."""

from datetime import timedelta
from pathlib import Path

import pytest

from activities.campaigns.walks import Stride
from starter import fast_forward
from starter.exits import Refusal
from tests.campaigns.stage import OWNER, a_file, campaign, staff
from tests.servers import PUNCTUAL_TIMERS, real_server
from workflows.model.subject import Status
from workflows.model.wishes import Cancellation

PEOPLE = tuple(f"employee-{number}" for number in range(4))


@pytest.mark.real_server
async def test_a_campaign_goes_on_as_requests_are_made_and_moves_with_their_clocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = real_server(*PUNCTUAL_TIMERS)
    file = a_file(policy={"hours": "any", "reminders": {"first": "1d"}})
    async with campaign(tmp_path, file, staff(*PEOPLE), server=server, stride=Stride(ahead=30)) as it:
        await it.opened()
        assert sorted(it.told(person)[0] for person in PEOPLE) == ["ready"] * 4
        with monkeypatch.context() as few, pytest.raises(Refusal, match="4 open ones are more than 3 to move together"):
            few.setattr(fast_forward, "TOGETHER_AT_MOST", 3)
            await fast_forward.forward(it.client, it.handle.id, timedelta(days=1))
        moved = await fast_forward.forward(it.client, it.handle.id, timedelta(days=1, hours=1))
        assert moved.reached
        assert [it.told(person) for person in PEOPLE] == [["ready", "reminder-1"]] * 4
        shown = await it.shown()
        assert (shown.counts.told, shown.counts.not_told) == (4, 0)
        await it.wish(Cancellation(actor=OWNER, reason="the wrong version"))
        ended = await it.handle.result()
    assert (ended.outcome, ended.counts.cancelled) == (Status.CANCELLED, 4)
