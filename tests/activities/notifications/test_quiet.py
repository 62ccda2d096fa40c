"""The budget that an onboarding gives its customer: what they hear of all its parts in a day."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.notifications.budget import BudgetSlot, NotificationBudgets
from activities.notifications.service import NotificationService
from activities.records import budgets
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from tests.activities.book import make_person
from tests.activities.notifications.stage import EXECUTIVES, arm, brief, hashes, only, pushes, sends
from tests.storage import count, take_table_away
from workflows.kinds import Kind
from workflows.model.notifications import (
    QUIET_AT_MOST,
    Delivery,
    DeliveryReport,
    NoticeAction,
    NotificationBudget,
    NotificationOrder,
)
from workflows.model.schedule import Reason
from workflows.model.signature import Document
from workflows.model.subject import Code, Participant, Role, Task
from workflows.names import notice_key

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WHO = "finance-chief"
QUIET = NotificationBudget(people=(WHO,))


def make_part_delivery(number: int, stage: str = "ready", now: datetime = NOON, **overrides: Any) -> Delivery:
    """What one task of the onboarding has to say to the customer."""
    id = f"acme.1.{number}"
    people = (Participant(person=WHO, role=Role.DO),)
    task = Task(id=id, kind="step", title=f"Step {number}", requester="legal-desk", people=people)
    notice = NotificationOrder(key=notice_key(id, stage, WHO), stage=stage, person=WHO, action=NoticeAction.DO)
    fields = {"subject": task.subject, "notices": (notice,), "now": now, "quiet": QUIET, **overrides}
    return Delivery(**fields)


def describe_outcome(report: DeliveryReport) -> str:
    """What became of the one notice."""
    if report.held:
        (held_line,) = report.held
        return f"{held_line.outcome}: {held_line.why}"
    line = only(report)
    return f"{line.outcome}: {line.why}" if line.why else line.outcome


async def test_three_are_told_in_a_day_and_what_is_more_waits_until_the_first_is_a_day_old(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    outcomes = [describe_outcome(await notices.deliver(make_part_delivery(n, now=NOON + n * HOUR))) for n in (1, 2, 3)]
    assert outcomes == ["accepted"] * 3
    report = await notices.deliver(make_part_delivery(4, now=NOON + 4 * HOUR))
    (held_line,) = report.held
    assert (held_line.outcome, held_line.why, held_line.says, report.delivered) == (
        "suppressed",
        "quiet",
        "3 notices in 1 day",
        (),
    )
    assert held_line.until == NOON + HOUR + DAY
    assert len(pushes(sandbox)) == 3
    assert (
        describe_outcome(await notices.deliver(make_part_delivery(4, now=held_line.until - timedelta(seconds=1))))
        == "suppressed: quiet"
    )
    assert describe_outcome(await notices.deliver(make_part_delivery(4, now=held_line.until))) == "accepted"


async def test_a_repetition_of_the_same_notice_counts_once_and_is_never_refused(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    for _ in range(5):
        assert describe_outcome(await notices.deliver(make_part_delivery(1))) == "accepted"
    assert [describe_outcome(await notices.deliver(make_part_delivery(n))) for n in (2, 3, 4)] == [
        "accepted",
        "accepted",
        "suppressed: quiet",
    ]
    assert describe_outcome(await notices.deliver(make_part_delivery(3))) == "accepted"


async def test_an_attempt_that_died_between_counting_and_sending_has_its_place(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    arm(sandbox, fault="503", times=None)
    for n in (1, 2, 3):
        with pytest.raises(ApplicationError):
            await notices.deliver(make_part_delivery(n))
    assert describe_outcome(await notices.deliver(make_part_delivery(4))) == "suppressed: quiet"
    sandbox.state.faults.clear()
    assert [describe_outcome(await notices.deliver(make_part_delivery(n))) for n in (1, 2, 3)] == ["accepted"] * 3
    assert len(pushes(sandbox)) == 3


async def test_when_push_is_back_after_more_than_a_day_no_more_ring_than_in_one(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    """Each attempt says when it is made: a place that was taken in vain a day ago is none any more."""
    arm(sandbox, fault="503", times=None)
    for n in range(1, 7):
        with pytest.raises(ApplicationError):
            await notices.deliver(make_part_delivery(n, now=NOON if n <= 3 else NOON + DAY))
    sandbox.state.faults.clear()
    outcomes = [
        describe_outcome(await notices.deliver(make_part_delivery(n, now=NOON + DAY + HOUR))) for n in range(1, 7)
    ]
    assert outcomes == ["suppressed: quiet"] * 3 + ["accepted"] * 3
    assert len(pushes(sandbox)) == 3


async def test_thirty_parts_at_the_same_instant_get_three_places(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    reports = await asyncio.gather(*(notices.deliver(make_part_delivery(n)) for n in range(30)))
    outcomes = [describe_outcome(report) for report in reports]
    assert (outcomes.count("accepted"), outcomes.count("suppressed: quiet")) == (3, 27)
    assert len(pushes(sandbox)) == 3


@pytest.mark.parametrize("stage", ["answer-1", "snooze-1", "settled", "withdrawal", "reassigned", "question-1"])
async def test_what_somebody_asked_for_and_news_of_an_ending_are_apart(
    notices: NotificationService, stage: str
) -> None:
    for n in range(1, 4):
        await notices.deliver(make_part_delivery(n, stage))
    assert [describe_outcome(await notices.deliver(make_part_delivery(n))) for n in range(1, 5)] == ["accepted"] * 3 + [
        "suppressed: quiet"
    ]
    assert describe_outcome(await notices.deliver(make_part_delivery(5, stage))) == "accepted"


async def test_what_is_urgent_is_apart(notices: NotificationService) -> None:
    urgent = make_part_delivery(9).subject.replace(urgent=True)
    for n in range(1, 4):
        assert describe_outcome(await notices.deliver(make_part_delivery(n, subject=urgent))) == "accepted"
    assert [describe_outcome(await notices.deliver(make_part_delivery(n))) for n in range(1, 4)] == ["accepted"] * 3
    assert describe_outcome(await notices.deliver(make_part_delivery(9, subject=urgent))) == "accepted"


async def test_a_reminder_that_somebody_asked_for_is_told_now_or_never(notices: NotificationService) -> None:
    for n in range(1, 4):
        await notices.deliver(make_part_delivery(n))
    report = await notices.deliver(make_part_delivery(1, "reminder-manual-1"))
    assert (report.held, describe_outcome(report)) == ((), "suppressed: quiet")


async def test_whoever_is_not_named_hears_everything(notices: NotificationService) -> None:
    budget_of_others = NotificationBudget(people=("legal-desk",))
    assert [
        describe_outcome(await notices.deliver(make_part_delivery(n, quiet=budget_of_others))) for n in range(5)
    ] == ["accepted"] * 5


async def test_the_phones_left_open_get_what_has_its_place_already(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    boss = "chief-executive"
    spared = NotificationBudget(most=1, people=(boss,))
    order = NotificationOrder(key="acme.1.1/ready/x", stage="ready", person=boss, action=NoticeAction.OPEN)
    arm(sandbox, fault="503", contains=EXECUTIVES[1])
    first = await notices.deliver(make_part_delivery(1, quiet=spared, notices=(order,)))
    assert first.open_devices == hashes(EXECUTIVES[1])
    second_report = await notices.deliver(
        make_part_delivery(1, quiet=spared, notices=(order,), devices=first.open_devices)
    )
    assert (second_report.open_devices, second_report.held) == ((), ())


async def test_whom_nothing_reaches_takes_no_place(notices: NotificationService, store: Store) -> None:
    """No phone, and nobody who would write to them instead."""
    quiet = NotificationBudget(people=("archive",))
    order = NotificationOrder(key="acme.1.7/ready/archive", stage="ready", person="archive", action=NoticeAction.DO)
    for _ in range(4):
        report = await notices.deliver(make_part_delivery(7, quiet=quiet, notices=(order,)))
        assert only(report).why == Reason.NO_DEVICE
    assert count(store, "notices") == 0


async def test_the_first_mail_that_core_signature_sends_by_itself_is_counted_though_it_cannot_be_held(
    notices: NotificationService, store: Store
) -> None:
    signer = "customer-signer"
    quiet = NotificationBudget(most=1, people=(signer,))

    def make_mailed_delivery(id: str) -> Delivery:
        contract = brief(signer).replace(id=id, document=Document(sha256=None))
        order = NotificationOrder(key=notice_key(id, "ready", signer), stage="ready", person=signer)
        return Delivery(subject=contract, notices=(order,), now=NOON, quiet=quiet)

    assert [only(await notices.deliver(make_mailed_delivery(id))).channel for id in ("acme.1.1", "acme.1.2")] == [
        "mail",
        "mail",
    ]
    assert await NotificationBudgets(store, 2, "1d").frees_at(signer, NOON) == NOON + DAY


async def test_ten_times_the_budget_of_mails_that_were_sent_already_are_counted(store: Store) -> None:
    async def ask(n: int) -> object:
        part_delivery = make_part_delivery(n)
        return await NotificationBudgets(store).ask(
            part_delivery, part_delivery.notices[0], make_person(WHO), alone=True, is_told=True
        )

    places = await asyncio.gather(*(ask(n) for n in range(10 * QUIET.most)))
    assert all(isinstance(place, BudgetSlot) for place in places)


async def test_what_waits_is_joined_into_the_next_and_rings_no_more(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    for n in (1, 2, 3):
        await notices.deliver(make_part_delivery(n, now=NOON + n * HOUR))
    held_until = [(await notices.deliver(make_part_delivery(n, now=NOON + 5 * HOUR))).held[0].until for n in (4, 5, 6)]
    assert held_until == [NOON + HOUR + DAY, *[NOON + HOUR + DAY + budgets.AFTER_THE_FIRST] * 2]
    assert describe_outcome(await notices.deliver(make_part_delivery(5, now=held_until[0]))) == "accepted"
    last = pushes(sandbox)[-1]
    assert last["title"] == "3 things wait for you"
    assert last["data"]["request"] == "acme.1.5"
    for n in (4, 6):
        report = await notices.deliver(make_part_delivery(n, now=held_until[0]))
        assert describe_outcome(report) == f"suppressed: joined into acme.1.5/ready/{WHO}"
    assert len(pushes(sandbox)) == 4
    repeated = await notices.deliver(make_part_delivery(5, now=held_until[0]))
    assert (describe_outcome(repeated), pushes(sandbox)[-1]["title"]) == ("accepted", "3 things wait for you")


async def test_what_was_joined_into_a_notice_that_failed_is_told_by_itself(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    """The one that speaks may be given up, or its part may end meanwhile: nobody asks for it a second time then."""
    budget = QUIET.replace(most=2)
    for n in (1, 2, 3, 4, 5):
        await notices.deliver(make_part_delivery(n, quiet=budget))
    arm(sandbox, fault="503", times=None)
    with pytest.raises(ApplicationError):
        await notices.deliver(make_part_delivery(3, quiet=budget, now=NOON + DAY))
    sandbox.state.faults.clear()
    (held_line,) = (await notices.deliver(make_part_delivery(4, quiet=budget, now=NOON + DAY))).held
    assert held_line.until == NOON + DAY + budgets.SPEAKING_AT_MOST
    assert (
        describe_outcome(await notices.deliver(make_part_delivery(4, quiet=budget, now=held_line.until))) == "accepted"
    )
    assert pushes(sandbox)[-1]["data"]["request"] == "acme.1.4"
    assert (
        describe_outcome(await notices.deliver(make_part_delivery(5, quiet=budget, now=held_line.until)))
        == "suppressed: quiet"
    )
    assert (
        describe_outcome(await notices.deliver(make_part_delivery(5, quiet=budget, now=NOON + 2 * DAY))) == "accepted"
    )


async def test_what_is_joined_waits_for_the_one_that_speaks_while_it_may_still_be_told(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    budget = QUIET.replace(most=2)
    for n in (1, 2, 3, 4):
        await notices.deliver(make_part_delivery(n, quiet=budget))
    arm(sandbox, fault="503", times=None)
    with pytest.raises(ApplicationError):
        await notices.deliver(make_part_delivery(3, quiet=budget, now=NOON + DAY))
    assert (
        describe_outcome(await notices.deliver(make_part_delivery(4, quiet=budget, now=NOON + DAY)))
        == "suppressed: quiet"
    )
    sandbox.state.faults.clear()
    assert describe_outcome(await notices.deliver(make_part_delivery(3, quiet=budget, now=NOON + DAY))) == "accepted"
    report = await notices.deliver(make_part_delivery(4, quiet=budget, now=NOON + DAY))
    assert describe_outcome(report) == f"suppressed: joined into acme.1.3/ready/{WHO}"
    assert pushes(sandbox)[-1]["title"] == "2 things wait for you"


async def test_a_later_stage_of_what_was_joined_rings_as_itself(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    for n in (1, 2, 3, 4, 5):
        await notices.deliver(make_part_delivery(n))
    assert describe_outcome(await notices.deliver(make_part_delivery(4, now=NOON + DAY))) == "accepted"
    assert pushes(sandbox)[-1]["title"] == "2 things wait for you"
    assert describe_outcome(await notices.deliver(make_part_delivery(5, "reminder-1", now=NOON + DAY))) == "accepted"
    assert "things" not in pushes(sandbox)[-1]["title"]


async def test_what_was_settled_or_told_meanwhile_is_not_spoken_of(
    sandbox: RunningSandbox, notices: NotificationService, store: Store
) -> None:
    for n in (1, 2, 3, 4, 5):
        await notices.deliver(make_part_delivery(n))
    await store.records.write(Kind.TASK.workflow_id("acme.1.4"), b"{}")
    assert describe_outcome(await notices.deliver(make_part_delivery(5, now=NOON + DAY))) == "accepted"
    assert "things" not in pushes(sandbox)[-1]["title"]
    assert describe_outcome(await notices.deliver(make_part_delivery(6, now=NOON + DAY))) == "accepted"
    assert "things" not in pushes(sandbox)[-1]["title"]


async def test_what_waited_long_ago_is_not_spoken_of(sandbox: RunningSandbox, notices: NotificationService) -> None:
    """Nobody asks again for what was handed over: it is no part of the number for ever."""
    budget = QUIET.replace(most=1)
    await notices.deliver(make_part_delivery(1, quiet=budget))
    held_until = (await notices.deliver(make_part_delivery(2, quiet=budget))).held[0].until
    assert (
        describe_outcome(await notices.deliver(make_part_delivery(3, quiet=budget, now=held_until + budgets.KEPT)))
        == "accepted"
    )
    assert "things" not in pushes(sandbox)[-1]["title"]


async def test_what_waits_over_a_weekend_is_spoken_of(sandbox: RunningSandbox, notices: NotificationService) -> None:
    budget = QUIET.replace(most=1)
    for n in (1, 2, 3):
        await notices.deliver(make_part_delivery(n, quiet=budget))
    assert (
        describe_outcome(await notices.deliver(make_part_delivery(2, quiet=budget, now=NOON + 5 * DAY))) == "accepted"
    )
    assert pushes(sandbox)[-1]["title"] == "2 things wait for you"


async def test_a_store_that_is_away_delays_everybody_and_tells_nobody_twice(
    sandbox: RunningSandbox, notices: NotificationService, store: Store
) -> None:
    await store.check()
    with take_table_away(store, "notices"), pytest.raises(ApplicationError) as failed:
        await notices.deliver(make_part_delivery(1))
    assert (failed.value.type, failed.value.non_retryable, sends(sandbox)) == (Code.UNREACHABLE, False, [])
    assert describe_outcome(await notices.deliver(make_part_delivery(1))) == "accepted"


@pytest.mark.long
async def test_ten_times_the_parts_that_are_looked_at_wait(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    budget = QUIET.replace(most=1)
    for n in range(10 * budgets.SPOKEN_FOR_AT_MOST):
        await notices.deliver(make_part_delivery(n, quiet=budget))
    assert (
        describe_outcome(await notices.deliver(make_part_delivery(10_000, quiet=budget, now=NOON + DAY))) == "accepted"
    )
    assert pushes(sandbox)[-1]["title"] == f"{budgets.SPOKEN_FOR_AT_MOST + 1} things wait for you"


def test_a_budget_of_ten_times_the_most_is_none() -> None:
    with pytest.raises(ValueError, match="less than or equal to 20"):
        NotificationBudget(most=10 * QUIET_AT_MOST)
