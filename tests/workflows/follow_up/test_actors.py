"""Who made a call, and how that is known, in the timeline of what they called. Pure."""

from datetime import UTC, datetime, timedelta

import pytest

from starter.queries.lookup import told_once
from tests.workflows.stage import a_request
from workflows.follow_up import commands
from workflows.follow_up.notification_log import LINES_AT_MOST
from workflows.model.commands import (
    AnyCommand,
    Cancellation,
    Command,
    Delegation,
    Extension,
    KnownBy,
    PauseCommand,
    Question,
    ReminderCommand,
)
from workflows.model.receipts import digest_of
from workflows.model.schedule import EscalationReason
from workflows.model.signature import ReportedDocument
from workflows.model.subject import Participant, Status
from workflows.model.timeline import EventType, Reassignment
from workflows.signature.state import SignatureState

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
BRIEF = a_request(Participant(person="bob", order=1)).brief
SENT = SignatureState.begin(BRIEF, START).observe(
    ReportedDocument(document="d", status=Status.SENT, raw="se"), START + timedelta(hours=1)
)
NOW = START + timedelta(days=1)


def carry_out(command: AnyCommand) -> SignatureState:
    match command:
        case PauseCommand():
            changed = commands.pause(SENT, command, NOW)
        case Question():
            changed = commands.ask(SENT, command, NOW)
        case Cancellation():
            changed = commands.cancel(SENT, command, NOW)
        case Delegation():
            changed = commands.delegate(SENT, command, NOW)
        case _:
            raise TypeError
    return commands.attributed(changed, SENT, command)


@pytest.mark.parametrize(
    ("command", "actor"),
    [
        (PauseCommand(actor="ada", known_by=KnownBy.SIGN_IN), "sign-in:ada"),
        (PauseCommand(actor="ada", known_by=KnownBy.OIDC), "oidc:ada"),
        (PauseCommand(actor="token:crm", known_by=KnownBy.TOKEN), "token:crm"),
        (PauseCommand(actor="ada", known_by=KnownBy.CLAIMED, ran_as="root@build-7"), "claimed:ada (root@build-7)"),
        (PauseCommand(actor="me@laptop", known_by=KnownBy.CLAIMED, ran_as="me@laptop"), "claimed:me@laptop"),
        (Question(person="bob", text="Which annex?", known_by=KnownBy.LINK), "link:bob"),
        (Question(person="bob", text="Which annex?", by="token:crm", known_by=KnownBy.TOKEN), "token:crm"),
        (Delegation(actor="ada", signer="bob", to="zoe", known_by=KnownBy.SIGN_IN), "sign-in:ada"),
        (PauseCommand(actor="countersign"), None),
    ],
)
def test_what_a_call_has_changed_says_who_called_and_what_was_there_before_does_not(
    command: AnyCommand, actor: str | None
) -> None:
    *earlier_entries, new = carry_out(command).timeline.entries
    assert (new.actor, [entry.actor for entry in earlier_entries]) == (actor, [None] * len(earlier_entries))
    assert f"by {actor}" in new.because or actor is None


def test_in_a_long_timeline_as_well() -> None:
    full = SENT
    while len(full.timeline.entries) < LINES_AT_MOST:
        full = full.note(NOW, EventType.VIEWED, "bob", None)
    command = PauseCommand(actor="ada", known_by=KnownBy.SIGN_IN)
    attributed = commands.attributed(commands.pause(full, command, NOW), full, command)
    assert len(attributed.timeline.leaving) > 0
    assert [entry.actor for entry in attributed.timeline.entries if entry.actor] == ["sign-in:ada"]


def test_a_command_that_came_true_at_once_is_told_once_with_its_actor() -> None:
    command = Cancellation(actor="ada", reason="Filled", known_by=KnownBy.CLAIMED, ran_as="root@build-7")
    cancelled = carry_out(command).end(Status.CANCELLED, NOW, decided_by="core-signature")
    once_told_events = [(entry.happened, entry.actor) for entry in told_once(cancelled.timeline.entries)]
    assert once_told_events[-1] == (EventType.CANCELLED, "claimed:ada (root@build-7)")
    assert EventType.CANCELLATION_ASKED not in [happened for happened, _ in once_told_events]


def test_two_commands_that_one_event_confirms_are_told_once() -> None:
    delegation = Delegation(actor="ada", signer="bob", to="zoe", known_by=KnownBy.SIGN_IN)
    first_asked = carry_out(delegation)
    insisting = delegation.replace(force=True, known_by=KnownBy.OIDC)
    twice = commands.attributed(commands.delegate(first_asked, insisting, NOW), first_asked, insisting)
    reassignment = Reassignment(from_="bob", to="zoe", reason=EscalationReason.MANUAL, who="ada")
    once_told_events = told_once(twice.reassigned(reassignment, NOW).timeline.entries)
    assert [(entry.happened, entry.actor) for entry in once_told_events][-1] == (EventType.HANDED_OVER, "oidc:ada")
    assert EventType.HAND_OVER_ASKED not in [entry.happened for entry in once_told_events]


@pytest.mark.parametrize("command", [PauseCommand(actor="ada"), ReminderCommand(actor="ada")])
def test_a_repeated_command_is_the_same_whoever_sends_it_from_where(command: Command) -> None:
    repeated_command = command.replace(actor="bob", known_by=KnownBy.CLAIMED, ran_as="root@build-7", op="op-1")
    assert digest_of(repeated_command) == digest_of(command)


def test_a_cancellation_of_the_run_has_its_actor() -> None:
    command = Cancellation(actor="ada", reason="Filled", known_by=KnownBy.TOKEN, op="op-1")
    assert Cancellation.read(command.of_the_run) == command.replace(op=None)


def test_what_no_person_wants_carries_no_word_of_it() -> None:
    extension = Extension(actor="countersign", due=NOW)
    assert not {"known_by", "ran_as"} & extension.model_dump(exclude_defaults=True).keys()
