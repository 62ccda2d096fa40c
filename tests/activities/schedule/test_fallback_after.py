"""`fallback_after`: when somebody who opened nothing is told by another way, and when not."""

from datetime import timedelta

import pytest

from activities.people.person import PushDevice
from tests.activities.book import SINCE, Book, describe_dropped, lines, make_person, plan
from workflows.model.policy import Policy
from workflows.model.schedule import ActionType

BARE = Policy(reminders=None, warnings=(), escalation=None, hours="working")


async def test_nobody_is_told_by_another_way_unless_the_policy_says_so() -> None:
    assert all(action.kind is not ActionType.FALLBACK for action in (await plan(BARE)).actions)


async def test_it_comes_so_long_after_the_turn_in_their_hours_with_the_reason() -> None:
    agenda = await plan(BARE.replace(fallback_after="1d"))
    assert lines(agenda) == ["Tue 11-03 09:00 fallback signer", "Wed 12-02 18:00 expiry requester"]
    assert agenda.actions[0].reason_text == "not opened 1 day after they were asked"
    night = await plan(BARE.replace(fallback_after="14h"))
    assert lines(night)[0].startswith("Tue 11-03 09:")
    assert "moved from Mon 02 Nov 23:00" in night.actions[0].reason_text


@pytest.mark.parametrize(("delay", "reason"), [("31d", "fallback superseded"), ("30d", None)])
async def test_what_would_come_after_the_end_is_left_out(delay: str, reason: str | None) -> None:
    agenda = await plan(BARE.replace(fallback_after=delay))
    assert describe_dropped(agenda) == ([reason] if reason else [])


@pytest.mark.parametrize(
    "devices", [(), (PushDevice(token="t", platform="ios", seen_at=str(SINCE - timedelta(days=40))),)]
)
async def test_who_has_no_phone_to_rely_on_was_written_to_at_once(devices: tuple[PushDevice, ...]) -> None:
    book = Book(make_person("requester"), make_person("signer", devices=devices))
    assert describe_dropped(await plan(BARE.replace(fallback_after="1d"), book)) == ["fallback no_device"]
