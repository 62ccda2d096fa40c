"""Stories of requests whose due date passes: silent, signed late, moved, planned by the real planner."""

from datetime import datetime, timedelta
from typing import Final

import pytest

from activities.schedule.planner import PolicyPlanner
from tests.activities.book import Book, somebody
from tests.workflows.fakes import World
from tests.workflows.stage import NO_OFFER, Story, a_request, story
from workflows.follow_up.view import stamp
from workflows.model.commands import Extension, NotNow, PauseCommand, Resumption
from workflows.model.notifications import NotificationOutcome
from workflows.model.policy import Escalation, Overdue, Policy
from workflows.model.signature import SignerSeen, SignerState
from workflows.model.subject import Participant, Status
from workflows.model.views import NextStep, RequestShow
from workflows.signature.state import SignatureInput

SIGNER: Final = "customer-signer"
DAY: Final = timedelta(days=1)
SECONDS: Final = timedelta(seconds=30)
ACKNOWLEDGEMENT: Final = Policy(
    tell_requester=NO_OFFER,
    window="14d",
    reminders=None,
    warnings=("1d",),
    escalation=None,
    grace="7d",
    overdue=Overdue(every="3d"),
)


def world() -> World:
    """A world whose planner is the real one; everybody may be told at any hour."""
    made = World()
    people = Book(somebody("legal-desk"), somebody(SIGNER, manager="manager"), somebody("manager"), somebody("chief"))
    made.planner = PolicyPlanner(people)  # type: ignore[assignment]
    return made


def request(policy: Policy = ACKNOWLEDGEMENT) -> SignatureInput:
    return a_request(Participant(person=SIGNER, order=1)).replace(policy=policy)


def days_after_due(shown: RequestShow, *stages: str) -> dict[str, float]:
    """When notices were told, in days after the due date; the minutes of jitter are not told."""
    assert shown.due_at is not None
    told = [line for line in shown.notifications if line.outcome is NotificationOutcome.ACCEPTED]
    return {one.stage: round((one.at - shown.due_at) / DAY, 1) for one in told if one.stage.startswith(stages)}


async def sign(it: Story, at: datetime | None = None) -> None:
    """The only signer signs; Core Signature says when."""
    it.world.signatures.signers.append(SignerSeen(person=SIGNER, state=SignerState.SIGNED, at=at))
    it.world.signatures.status = Status.SIGNED
    await it.callback("signed")


async def test_a_silent_signer_is_reminded_after_the_due_date_until_the_grace_is_over() -> None:
    async with story(world(), request(), record="overdue-and-expired") as it:
        settled = await it.handle.result()
        shown = await it.shown()
    assert (settled.outcome, settled.late) == (Status.EXPIRED, False)
    assert days_after_due(shown, "warning", "overdue") == {"warning-1d": -1.0, "overdue-1": 3.0, "overdue-2": 6.0}
    assert shown.due_at is not None
    assert shown.closes_at is not None
    assert shown.closes_at - shown.due_at == 7 * DAY
    [end] = [entry.at for entry in shown.timeline if entry.what == "expired"]
    assert timedelta() <= end - shown.closes_at < SECONDS


async def test_while_it_is_overdue_it_says_so_everywhere() -> None:
    async with story(world(), request()) as it:
        await it.days_pass(10)
        before = await it.shown()
        assert (before.late, before.overdue) == (False, False)
        assert before.due_at is not None
        await it.until(before.due_at + 2 * DAY)
        shown = await it.shown()
        assert (shown.late, shown.overdue) == (True, True)
        assert shown.says.startswith(f"Waiting for {SIGNER}, overdue since {stamp(shown.due_at)}; a reminder follows")
        assert shown.next is not None
        assert shown.next.what is NextStep.REMIND
        await it.until(before.due_at + 3.1 * DAY)
        assert it.world.push.stages()[-1] == ("overdue-1", SIGNER)
        assert it.world.push.deliveries[-1].due_at == shown.due_at
        await sign(it)
        await it.handle.result()


async def test_signed_in_the_grace_is_signed_and_marked_late_everywhere() -> None:
    async with story(world(), request(), record="signed-late") as it:
        await it.days_pass(18)
        await sign(it)
        settled = await it.handle.result()
        shown = await it.shown()
    assert (settled.outcome, settled.late) == (Status.SIGNED, True)
    assert (shown.late, shown.overdue, [line.late for line in shown.signers]) == (True, False, [True])
    batch = it.world.handoff.batches[0]
    assert batch.settled is not None and batch.settled.late
    assert batch.record is not None
    assert batch.record.show.late


@pytest.mark.parametrize("grace", ["0d", "7d"])
async def test_signed_in_time_and_heard_of_late_is_not_late(grace: str) -> None:
    policy = ACKNOWLEDGEMENT.replace(grace=grace, overdue=None, reminders=None)
    async with story(world(), request(policy)) as it:
        await it.days_pass(0.1)
        due_at = (await it.shown()).due_at
        assert due_at is not None
        await it.until(due_at - timedelta(hours=1))
        it.world.signatures.signers.append(
            SignerSeen(person=SIGNER, state=SignerState.SIGNED, at=due_at - timedelta(minutes=5))
        )
        it.world.signatures.status = Status.SIGNED
        settled = await it.handle.result()
    assert (settled.outcome, settled.late) == (Status.SIGNED, False)


async def test_a_clock_that_says_a_signature_came_before_it_was_seen_missing_is_not_believed() -> None:
    """A rehearsal moves our clock and not Core Signature's, which may be behind in life as well."""
    async with story(world(), request()) as it:
        started = (await it.shown()).timeline[0].at
        await it.days_pass(1)
        due_at = (await it.shown()).due_at
        assert due_at is not None
        await it.until(due_at + 3.5 * DAY)
        assert it.world.push.stages()[-1] == ("overdue-1", SIGNER)
        await sign(it, at=started + timedelta(minutes=1))
        settled = await it.handle.result()
    assert settled.late
    assert settled.signers[0].at == started + timedelta(minutes=1)


async def test_a_due_date_moved_in_the_overdue_phase_moves_the_closing_and_begins_anew() -> None:
    async with story(world(), request(), record="extended-overdue") as it:
        await it.days_pass(18)
        old = await it.shown()
        assert old.due_at is not None
        await it.wish(Extension(due=old.due_at + 10 * DAY, actor="legal-desk"))
        moved = await it.shown()
        assert (moved.late, moved.closes_at) == (False, old.due_at + 17 * DAY)
        settled = await it.handle.result()
        shown = await it.shown()
    assert settled.outcome is Status.EXPIRED
    told = days_after_due(shown, "warning", "overdue")
    assert {stage: day for stage, day in told.items() if stage.endswith(".2")} == {
        "warning-1d.2": -1.0,
        "overdue-1.2": 3.0,
        "overdue-2.2": 6.0,
    }
    assert [line.stage for line in shown.notifications if line.why == "superseded"] == ["overdue-2"]


async def test_who_signs_late_and_is_given_more_time_is_not_late() -> None:
    both = a_request(Participant(person=SIGNER, order=1), Participant(person="chief", order=2)).replace(
        policy=ACKNOWLEDGEMENT
    )
    async with story(world(), both) as it:
        await it.days_pass(16)
        it.world.signatures.sign(SIGNER)
        await it.callback("signer_signed")
        await it.days_pass(0.1)
        shown = await it.shown()
        assert ([line.late for line in shown.signers], shown.late) == ([True, False], True)
        assert shown.due_at is not None
        await it.wish(Extension(due=shown.due_at + 5 * DAY, actor="legal-desk"))
        assert not (await it.shown()).late


async def test_not_now_after_the_due_date_reaches_to_the_closing_and_no_further() -> None:
    async with story(world(), request()) as it:
        await it.days_pass(15)
        shown = await it.shown()
        assert shown.closes_at is not None
        assert shown.choices[0].snooze_until == shown.closes_at
        with pytest.raises(Exception, match="Workflow update failed") as refused:
            await it.wish(NotNow(person=SIGNER, until=shown.closes_at + timedelta(minutes=1)))
        assert "that is after it closes" in str(refused.value.__cause__)
        await it.wish(NotNow(person=SIGNER, until=shown.closes_at - DAY))
        await it.handle.result()
        shown = await it.shown()
    assert days_after_due(shown, "overdue", "snooze") == {"snooze-1": 6.0}


async def test_a_pause_in_the_overdue_phase_moves_what_a_window_says_and_tells_nobody() -> None:
    async with story(world(), request()) as it:
        await it.days_pass(16)
        await it.wish(PauseCommand(actor="legal-desk"))
        await it.days_pass(4)
        assert [stage for stage, _ in it.world.push.stages()] == ["ready", "warning-1d"]
        await it.wish(Resumption(actor="legal-desk"))
        shown = await it.shown()
        assert shown.overdue
        await it.handle.result()
        shown = await it.shown()
    assert days_after_due(shown, "overdue") == {"overdue-1": 3.0, "overdue-2": 6.0}


async def test_a_silence_that_nothing_escalated_in_time_is_escalated_when_overdue_reminders_are_used_up() -> None:
    policy = ACKNOWLEDGEMENT.replace(
        escalation=Escalation(after="used-up", or_=None), overdue=Overdue(every="1d", most=2)
    )
    async with story(world(), request(policy)) as it:
        await it.handle.result()
        shown = await it.shown()
    assert days_after_due(shown, "overdue", "escalation", "escalated") == {
        "overdue-1": 1.0,
        "overdue-2": 2.0,
        "escalation": 3.0,
        "escalated": 3.0,
    }
    assert [(one.from_, one.to) for one in shown.escalations] == [(SIGNER, "manager")]


async def test_after_an_outage_over_the_due_date_one_overdue_reminder_makes_up_for_all() -> None:
    async with story(world(), request()) as it:
        async with it.nobody_works(days=18.3):
            pass
        await it.handle.result()
        shown = await it.shown()
    assert set(days_after_due(shown, "warning", "overdue")) == {"overdue-1", "overdue-2"}
    assert [(line.stage, line.why) for line in shown.notifications if line.stage == "warning-1d"] == [
        ("warning-1d", "caught_up")
    ]


async def test_a_policy_without_a_grace_closes_when_it_is_due() -> None:
    async with story(world(), request(Policy())) as it:
        settled = await it.handle.result()
        shown = await it.shown()
    assert (settled.outcome, settled.late) == (Status.EXPIRED, False)
    assert shown.closes_at == shown.due_at
    assert not days_after_due(shown, "overdue")
