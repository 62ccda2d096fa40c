"""What a manager hears of their people: who is missing, and of these who is overdue."""

from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from temporalio.testing import ActivityEnvironment

from activities.campaign.service import CampaignPeopleService, ManagerDigest, missing_by_manager
from activities.records.outcomes import MemberOutcome, MemberStatus
from starter.queries import campaign as people
from tests.workflows.campaign.stage import Company, a_file, staff
from tests.workflows.campaign.test_faults import AllOpen
from tests.workflows.fakes import FakePushService, FakeSignatureService
from workflows.model.campaign import CampaignOrder, DailyCheck

TODAY = date(2026, 11, 26)


def digests(lines: list[MemberOutcome]) -> list[ManagerDigest]:
    missing: Counter[tuple[str, str, date | None]] = Counter(
        (line.status, line.manager, date.fromisoformat(line.due)) for line in lines if line.open
    )
    return missing_by_manager(missing, TODAY)


def line(person: str, due: str, manager: str = "chair", status: MemberStatus = MemberStatus.TOLD) -> MemberOutcome:
    return MemberOutcome(row=1, person=person, request=f"conduct.{person}", status=status, due=due, manager=manager)


@pytest.mark.parametrize(("due", "overdue"), [("2026-11-25", 1), ("2026-11-26", 0), ("2026-11-27", 0)])
def test_who_is_due_today_is_missing_and_not_overdue(due: str, overdue: int) -> None:
    assert digests([line("ada", due)]) == [ManagerDigest("chair", 1, overdue)]


@pytest.mark.parametrize(("due", "overdue"), [("2026-11-25", True), ("2026-11-26", False), ("2026-11-27", False)])
def test_at_the_desk_nobody_is_overdue_on_their_last_day(due: str, overdue: bool) -> None:
    missing = people.MissingMember(line("ada", due))
    assert missing.overdue(datetime(2026, 11, 26, 23, 59, tzinfo=UTC), TODAY) is overdue


@pytest.mark.parametrize(
    ("now_text", "expected_counts"),
    [
        ("2026-11-23T22:59Z", []),
        ("2026-11-23T23:01Z", [(2, 0)]),
        ("2026-11-26T22:59Z", [(2, 0)]),
        ("2026-11-26T23:01Z", [(2, 2)]),
    ],
)
async def test_the_look_has_the_day_of_the_owner_also_while_it_is_another_in_utc(
    tmp_path: Path, now_text: str, expected_counts: list[tuple[int, int]]
) -> None:
    """In Amsterdam, where the owner is, midnight is at 23:00 UTC: managers hear from two days before the last one."""
    company = Company(tmp_path, staff("ada", "bo"))
    file = a_file(opens="2026-11-12T09:00:00Z", window="14d")
    campaign_input = (await company.prepared(file, datetime(2026, 11, 12, 8, tzinfo=UTC))).workflow_input
    push, nobody = FakePushService(FakeSignatureService()), cast(Any, None)
    visibility = AllOpen(["ada", "bo"])
    service = CampaignPeopleService(nobody, company.store, company.directory, push, visibility=visibility)
    order = CampaignOrder(
        campaign=campaign_input.campaign, fingerprint=campaign_input.fingerprint, now=datetime.fromisoformat(now_text)
    )
    order = order.replace(frozen=await service.freeze(order), asked=2)
    assert campaign_input.campaign.due == TODAY
    await ActivityEnvironment().run(service.check, DailyCheck(order=order, day=11, due=campaign_input.campaign.due))
    notices = [notice for delivery in push.deliveries for notice in delivery.notices]
    assert [(notice.person, notice.count, notice.overdue) for notice in notices] == [
        ("chair", *counts) for counts in expected_counts
    ]


def test_each_manager_hears_of_their_own_and_nobody_of_who_has_acknowledged() -> None:
    lines = [
        line("ada", "2026-11-20"),
        line("bo", "2026-11-30"),
        line("cas", "2026-11-20", manager="board"),
        line("dee", "2026-11-20", manager=""),
        line("eve", "2026-11-20", status=MemberStatus.ACKNOWLEDGED),
    ]
    assert digests(lines) == [ManagerDigest("board", 1, 1), ManagerDigest("chair", 2, 1)]
