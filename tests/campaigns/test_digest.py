"""What a manager hears of their people: who is missing, and of these who is overdue."""

from datetime import UTC, date, datetime

import pytest

from activities.campaign.member_status import MemberOutcome, MemberStatus
from activities.campaign.service import ManagerDigest, missing_by_manager
from starter.queries import campaign_people as people

TODAY = date(2026, 11, 26)


def line(person: str, due: str, manager: str = "chair", status: MemberStatus = MemberStatus.TOLD) -> MemberOutcome:
    return MemberOutcome(row=1, person=person, request=f"conduct.{person}", status=status, due=due, manager=manager)


@pytest.mark.parametrize(("due", "overdue"), [("2026-11-25", 1), ("2026-11-26", 0), ("2026-11-27", 0)])
def test_who_is_due_today_is_missing_and_not_overdue(due: str, overdue: int) -> None:
    assert missing_by_manager([line("ada", due)], TODAY) == [ManagerDigest("chair", 1, overdue)]


@pytest.mark.parametrize(("due", "overdue"), [("2026-11-25", True), ("2026-11-26", False), ("2026-11-27", False)])
@pytest.mark.parametrize("hour", [0, 23])
def test_at_the_desk_nobody_is_overdue_on_their_last_day(due: str, overdue: bool, hour: int) -> None:
    missing = people.MissingMember(line("ada", due))
    assert missing.overdue(datetime(2026, 11, 26, hour, 59, tzinfo=UTC)) is overdue


def test_each_manager_hears_of_their_own_and_nobody_of_who_has_acknowledged() -> None:
    lines = [
        line("ada", "2026-11-20"),
        line("bo", "2026-11-30"),
        line("cas", "2026-11-20", manager="board"),
        line("dee", "2026-11-20", manager=""),
        line("eve", "2026-11-20", status=MemberStatus.ACKNOWLEDGED),
    ]
    assert missing_by_manager(lines, TODAY) == [ManagerDigest("board", 1, 1), ManagerDigest("chair", 2, 1)]
