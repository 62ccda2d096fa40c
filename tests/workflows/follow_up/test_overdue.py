"""Stories of requests whose due date passes: silent, signed late, moved, planned by the real planner."""

from datetime import datetime, timedelta
from typing import Final

import pytest

from activities.schedule.planner import PolicyPlanner
from tests.activities.book import Book, make_person
from tests.workflows.fakes import World
from tests.workflows.stage import NO_OFFER, Story, a_request, start_story
from workflows.follow_up.view import stamp
from workflows.model.commands import Extension, PauseCommand, Resumption, SnoozeCommand
from workflows.model.notifications import NotificationOutcome
from workflows.model.policy import Escalation, Overdue, Policy
from workflows.model.signature import ReportedSigner, SignerState
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


def make_world() -> World:
    """A world whose planner is the real one; everybody may be told at any hour."""
    fake_world = World()
    people = Book(
        make_person("legal-desk"), make_person(SIGNER, manager="manager"), make_person("manager"), make_person("chief")
    )
    fake_world.planner = PolicyPlanner(people)  # type: ignore[assignment]
    return fake_world


def request(policy: Policy = ACKNOWLEDGEMENT) -> SignatureInput:
    return a_request(Participant(person=SIGNER, order=1)).replace(policy=policy)


def days_after_due(view: RequestShow, *stages: str) -> dict[str, float]:
    """When notices were told, in days after the due date; the minutes of jitter are not told."""
    assert view.due_at is not None
    told_lines = [line for line in view.notifications if line.outcome is NotificationOutcome.ACCEPTED]
    return {line.stage: round((line.at - view.due_at) / DAY, 1) for line in told_lines if line.stage.startswith(stages)}


async def sign(story: Story, signed_at: datetime | None = None) -> None:
    """The only signer signs; Core Signature says when."""
    story.world.signatures.signers.append(ReportedSigner(person=SIGNER, state=SignerState.SIGNED, at=signed_at))
    story.world.signatures.status = Status.SIGNED
    await story.callback("signed")


async def test_a_silent_signer_is_reminded_after_the_due_date_until_the_grace_is_over() -> None:
    async with start_story(make_world(), request(), record="overdue-and-expired") as story:
        settled = await story.handle.result()
        view = await story.read_view()
    assert (settled.outcome, settled.late) == (Status.EXPIRED, False)
    assert days_after_due(view, "warning", "overdue") == {"warning-1d": -1.0, "overdue-1": 3.0, "overdue-2": 6.0}
    assert view.due_at is not None
    assert view.closes_at is not None
    assert view.closes_at - view.due_at == 7 * DAY
    [end] = [entry.at for entry in view.timeline if entry.what == "expired"]
    assert timedelta() <= end - view.closes_at < SECONDS


async def test_while_it_is_overdue_it_says_so_everywhere() -> None:
    async with start_story(make_world(), request()) as story:
        await story.days_pass(10)
        view_before = await story.read_view()
        assert (view_before.late, view_before.overdue) == (False, False)
        assert view_before.due_at is not None
        await story.move_clock_to(view_before.due_at + 2 * DAY)
        view = await story.read_view()
        assert (view.late, view.overdue) == (True, True)
        assert view.says.startswith(f"Waiting for {SIGNER}, overdue since {stamp(view.due_at)}; a reminder follows")
        assert view.next is not None
        assert view.next.what is NextStep.REMIND
        await story.move_clock_to(view_before.due_at + 3.1 * DAY)
        assert story.world.push.stages()[-1] == ("overdue-1", SIGNER)
        assert story.world.push.deliveries[-1].due_at == view.due_at
        await sign(story)
        await story.handle.result()


async def test_signed_in_the_grace_is_signed_and_marked_late_everywhere() -> None:
    async with start_story(make_world(), request(), record="signed-late") as story:
        await story.days_pass(18)
        await sign(story)
        settled = await story.handle.result()
        view = await story.read_view()
    assert (settled.outcome, settled.late) == (Status.SIGNED, True)
    assert (view.late, view.overdue, [line.late for line in view.signers]) == (True, False, [True])
    batch = story.world.handoff.batches[0]
    assert batch.settled is not None and batch.settled.late
    assert batch.record is not None
    assert batch.record.show.late


@pytest.mark.parametrize("grace", ["0d", "7d"])
async def test_signed_in_time_and_heard_of_late_is_not_late(grace: str) -> None:
    policy = ACKNOWLEDGEMENT.replace(grace=grace, overdue=None, reminders=None)
    async with start_story(make_world(), request(policy)) as story:
        await story.days_pass(0.1)
        due_at = (await story.read_view()).due_at
        assert due_at is not None
        await story.move_clock_to(due_at - timedelta(hours=1))
        story.world.signatures.signers.append(
            ReportedSigner(person=SIGNER, state=SignerState.SIGNED, at=due_at - timedelta(minutes=5))
        )
        story.world.signatures.status = Status.SIGNED
        settled = await story.handle.result()
    assert (settled.outcome, settled.late) == (Status.SIGNED, False)


async def test_a_clock_that_says_a_signature_came_before_it_was_seen_missing_is_not_believed() -> None:
    """A rehearsal moves our clock and not Core Signature's, which may be behind in life as well."""
    async with start_story(make_world(), request()) as story:
        started = (await story.read_view()).timeline[0].at
        await story.days_pass(1)
        due_at = (await story.read_view()).due_at
        assert due_at is not None
        await story.move_clock_to(due_at + 3.5 * DAY)
        assert story.world.push.stages()[-1] == ("overdue-1", SIGNER)
        await sign(story, signed_at=started + timedelta(minutes=1))
        settled = await story.handle.result()
    assert settled.late
    assert settled.signers[0].at == started + timedelta(minutes=1)


async def test_a_due_date_moved_in_the_overdue_phase_moves_the_closing_and_begins_anew() -> None:
    async with start_story(make_world(), request(), record="extended-overdue") as story:
        await story.days_pass(18)
        first_view = await story.read_view()
        assert first_view.due_at is not None
        await story.send_command(Extension(due=first_view.due_at + 10 * DAY, actor="legal-desk"))
        extended_view = await story.read_view()
        assert (extended_view.late, extended_view.closes_at) == (False, first_view.due_at + 17 * DAY)
        settled = await story.handle.result()
        view = await story.read_view()
    assert settled.outcome is Status.EXPIRED
    days_by_stage = days_after_due(view, "warning", "overdue")
    assert {stage: day for stage, day in days_by_stage.items() if stage.endswith(".2")} == {
        "warning-1d.2": -1.0,
        "overdue-1.2": 3.0,
        "overdue-2.2": 6.0,
    }
    assert [line.stage for line in view.notifications if line.why == "superseded"] == ["overdue-2"]


async def test_who_signs_late_and_is_given_more_time_is_not_late() -> None:
    request_of_two = a_request(Participant(person=SIGNER, order=1), Participant(person="chief", order=2)).replace(
        policy=ACKNOWLEDGEMENT
    )
    async with start_story(make_world(), request_of_two) as story:
        await story.days_pass(16)
        story.world.signatures.sign(SIGNER)
        await story.callback("signer_signed")
        await story.days_pass(0.1)
        view = await story.read_view()
        assert ([line.late for line in view.signers], view.late) == ([True, False], True)
        assert view.due_at is not None
        await story.send_command(Extension(due=view.due_at + 5 * DAY, actor="legal-desk"))
        assert not (await story.read_view()).late


async def test_not_now_after_the_due_date_reaches_to_the_closing_and_no_further() -> None:
    async with start_story(make_world(), request()) as story:
        await story.days_pass(15)
        view = await story.read_view()
        assert view.closes_at is not None
        assert view.choices[0].snooze_until == view.closes_at
        with pytest.raises(Exception, match="Workflow update failed") as refused:
            await story.send_command(SnoozeCommand(person=SIGNER, until=view.closes_at + timedelta(minutes=1)))
        assert "that is after it closes" in str(refused.value.__cause__)
        await story.send_command(SnoozeCommand(person=SIGNER, until=view.closes_at - DAY))
        await story.handle.result()
        view = await story.read_view()
    assert days_after_due(view, "overdue", "snooze") == {"snooze-1": 6.0}


async def test_a_pause_in_the_overdue_phase_moves_what_a_window_says_and_tells_nobody() -> None:
    async with start_story(make_world(), request()) as story:
        await story.days_pass(16)
        await story.send_command(PauseCommand(actor="legal-desk"))
        await story.days_pass(4)
        assert [stage for stage, _ in story.world.push.stages()] == ["ready", "warning-1d"]
        await story.send_command(Resumption(actor="legal-desk"))
        view = await story.read_view()
        assert view.overdue
        await story.handle.result()
        view = await story.read_view()
    assert days_after_due(view, "overdue") == {"overdue-1": 3.0, "overdue-2": 6.0}


async def test_a_silence_that_nothing_escalated_in_time_is_escalated_when_overdue_reminders_are_used_up() -> None:
    policy = ACKNOWLEDGEMENT.replace(
        escalation=Escalation(after="used-up", or_=None), overdue=Overdue(every="1d", most=2)
    )
    async with start_story(make_world(), request(policy)) as story:
        await story.handle.result()
        view = await story.read_view()
    assert days_after_due(view, "overdue", "escalation", "escalated") == {
        "overdue-1": 1.0,
        "overdue-2": 2.0,
        "escalation": 3.0,
        "escalated": 3.0,
    }
    assert [(escalation.from_, escalation.to) for escalation in view.escalations] == [(SIGNER, "manager")]


async def test_after_an_outage_over_the_due_date_one_overdue_reminder_makes_up_for_all() -> None:
    async with start_story(make_world(), request()) as story:
        async with story.nobody_works(days=18.3):
            pass
        await story.handle.result()
        view = await story.read_view()
    assert set(days_after_due(view, "warning", "overdue")) == {"overdue-1", "overdue-2"}
    assert [(line.stage, line.why) for line in view.notifications if line.stage == "warning-1d"] == [
        ("warning-1d", "caught_up")
    ]


async def test_a_policy_without_a_grace_closes_when_it_is_due() -> None:
    async with start_story(make_world(), request(Policy())) as story:
        settled = await story.handle.result()
        view = await story.read_view()
    assert (settled.outcome, settled.late) == (Status.EXPIRED, False)
    assert view.closes_at == view.due_at
    assert not days_after_due(view, "overdue")
