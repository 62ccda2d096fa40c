"""Waiting for whom, since when, until when, what next and why: every place says the same, at every stage of a life."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import pytest_asyncio

from starter.queries import commands
from tests.faults.population import PATIENT, colleague, tokens
from tests.faults.town import Town, start_town
from tests.faults.vendor import CALLBACK, SENDS
from tests.stack.everywhere import DUTCH, check_record, everywhere
from workflows.model.commands import Answer, AnyCommand, Extension, PauseCommand, Question, Resumption, SnoozeCommand
from workflows.model.subject import Code
from workflows.model.views import RequestShow

pytestmark = [pytest.mark.long, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="module")]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FIRST, SECOND = colleague(1), colleague(2)
FINANCE = "/_sandbox/targets/finance"
"""An address inside, which no hand-off goes to."""
ONCE = {"first": "3d", "every": "3d", "most": 1}
NOTIFIED = {**PATIENT, "reminders": ONCE}
HANDED_OVER = {
    **NOTIFIED,
    "window": "720h",  # exact; one of days would end with the working day
    "warnings": ["1d"],
    "escalation": {"after": "used-up", "or": None, "action": "reassign", "to": ["alternates"], "alternates": [SECOND]},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def full_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with start_town(tmp_path_factory.mktemp("one-answer") / "data") as started_town:
        people = started_town.folder.path / "example" / "people.yaml"
        people.write_text(people.read_text().replace(f'"id": "{DUTCH}"', f'"id": "{DUTCH}", "locale": "nl"'))
        yield started_town


async def test_reminded_escalated_signed_by_two_and_handed_off_as_far_as_it_goes(full_stack: Town) -> None:
    await full_stack.vendor.arm("drop", "*", method=CALLBACK, contains="signed", times=None)
    await full_stack.ask("signed", FIRST, SECOND, finance=f"{full_stack.vendor.url}{FINANCE}", policy=NOTIFIED)
    await full_stack.until_shown("signed", lambda view: view.next and view.next.at)
    assert (await everywhere(full_stack, "signed")).says == "Core Signature is preparing the document"

    await full_stack.vendor.disarm()
    await full_stack.forward("signed", MINUTE)
    assert is_sentence_of(await everywhere(full_stack, "signed"), f"Waiting for {FIRST} until", "a reminder follows")
    await full_stack.forward("signed", 4 * DAY)
    assert is_sentence_of(await everywhere(full_stack, "signed"), f"Waiting for {FIRST} until", "it is escalated")
    await full_stack.forward("signed", 3 * DAY)
    escalated = await everywhere(full_stack, "signed")
    assert is_sentence_of(escalated, f"Waiting for {FIRST} until", "a last warning follows")
    assert [(entry.from_, entry.to) for entry in escalated.escalations] == [(FIRST, "chair")]

    await full_stack.sign("signed")
    await full_stack.until_shown(
        "signed", lambda view: [waiting_person.person for waiting_person in view.waiting_for] == [SECOND]
    )
    assert is_sentence_of(await everywhere(full_stack, "signed"), f"Waiting for {SECOND} until", "a reminder follows")
    await full_stack.vendor.arm("503", SENDS, contains=tokens(DUTCH)[0], times=None)
    await full_stack.vendor.arm("503", FINANCE, times=None)
    await full_stack.sign("signed")
    await full_stack.until_shown("signed", lambda view: view.handoffs and view.handoffs[0].attempts)
    assert is_sentence_of(await everywhere(full_stack, "signed"), "Signed", "; telling hr")
    await full_stack.vendor.disarm()
    await full_stack.vendor.arm("503", FINANCE, times=None)
    await full_stack.forward("signed", MINUTE)
    assert is_sentence_of(await everywhere(full_stack, "signed"), "Signed", "; telling finance")
    await full_stack.forward("signed", 4 * DAY)
    closed = await everywhere(full_stack, "signed")
    assert is_sentence_of(closed, "Signed", "; could not tell finance")
    await check_record(full_stack, closed)


async def test_hindered_asked_paused_misspelt_and_at_last_declined(full_stack: Town) -> None:
    await full_stack.vendor.arm("401", SENDS, contains="declined", times=None)
    await full_stack.ask("declined", FIRST, SECOND)
    await full_stack.until_shown("declined", lambda view: view.problem)
    hindered = await everywhere(full_stack, "declined")
    assert is_sentence_of(hindered, "Problem unauthorised since", "push service answered 401")
    await full_stack.vendor.disarm()
    await full_stack.forward("declined", MINUTE)
    assert is_sentence_of(await everywhere(full_stack, "declined"), f"Waiting for {FIRST} until", "a reminder follows")

    await send_command(full_stack, "declined", Question(person=FIRST, text="Which annex?"))
    view_with_question = await everywhere(full_stack, "declined")
    assert is_sentence_of(
        view_with_question,
        f"Waiting for {FIRST}; reminders are paused until",
        f"a question of {FIRST} waits for an answer",
    )
    await full_stack.forward("declined", 2 * DAY)
    await send_command(full_stack, "declined", Answer(actor="legal-desk", text="Annex B"))
    answered = await everywhere(full_stack, "declined")
    assert is_sentence_of(answered, f"Waiting for {FIRST} until", "a reminder follows")
    assert is_due_later_by(2 * DAY, hindered, answered)

    await send_command(full_stack, "declined", PauseCommand(actor="legal-desk", reason="a new draft"))
    paused = await everywhere(full_stack, "declined")
    assert is_sentence_of(paused, f"Waiting for {FIRST}; reminders are paused: paused by legal-desk: a new draft")
    await full_stack.forward("declined", 3 * DAY)
    with misspell_zone(full_stack):
        await send_command(full_stack, "declined", Resumption(actor="legal-desk"))
        await full_stack.until_shown("declined", lambda view: view.problem)
        doubted = await everywhere(full_stack, "declined")
        assert is_sentence_of(doubted, f"Waiting for {FIRST} until", "a reminder follows")
        assert doubted.problem and doubted.problem.code is Code.DIRECTORY
    await full_stack.forward("declined", timedelta(hours=1))
    resumed = await everywhere(full_stack, "declined")
    assert resumed.problem is None
    assert is_due_later_by(3 * DAY, answered, resumed)

    await decline(full_stack, "declined")
    await full_stack.handle("declined").result()
    closed = await everywhere(full_stack, "declined")
    assert is_sentence_of(closed, "Declined")
    await check_record(full_stack, closed)


async def test_put_off_reassigned_extended_warned_and_expired(full_stack: Town) -> None:
    await full_stack.ask("expired", FIRST, policy=HANDED_OVER)
    view_at_start = await full_stack.until_shown("expired", lambda view: view.notifications)
    turn_at = view_at_start.waiting_for[0].since
    await send_command(full_stack, "expired", SnoozeCommand(person=FIRST, until=turn_at + 5 * DAY))
    put_off = await everywhere(full_stack, "expired")
    assert put_off.next and put_off.next.at == turn_at + 5 * DAY
    # The one reminder, which the "not now" kept back, comes on the 8th day, and three days later it is used up.
    await full_stack.forward("expired", 12 * DAY)
    reassigned = await everywhere(full_stack, "expired")
    assert is_sentence_of(reassigned, f"Waiting for {SECOND} until", "a reminder follows")
    assert [signer.state for signer in reassigned.signers] == ["reassigned", "turn"]

    due = put_off.due_at
    assert due
    await send_command(full_stack, "expired", Extension(actor="legal-desk", due=due + 10 * DAY))
    extended = await everywhere(full_stack, "expired")
    assert extended.due_at == due + 10 * DAY
    await full_stack.forward("expired", 26 * DAY + 12 * HOUR)
    assert is_sentence_of(
        await everywhere(full_stack, "expired"), f"Waiting for {SECOND} until", "a last warning follows"
    )
    await full_stack.forward("expired", DAY)
    assert is_sentence_of(await everywhere(full_stack, "expired"), f"Waiting for {SECOND} until", "it expires")
    await full_stack.forward("expired", DAY)
    await full_stack.handle("expired").result()
    closed = await everywhere(full_stack, "expired")
    assert is_sentence_of(closed, "Expired")
    await check_record(full_stack, closed)


async def send_command(full_stack: Town, id: str, command: AnyCommand) -> None:
    """Have the request take a command, as the command line or a page does."""
    await commands.send(full_stack.context.client, id, command, op=f"{id}-{type(command).__name__}")


async def decline(full_stack: Town, id: str) -> None:
    """Let whoever's turn it is decline."""
    [signer] = await full_stack.vendor.waiting(id)
    await full_stack.vendor.decline(signer, "Clause 7 is missing")


@contextmanager
def misspell_zone(full_stack: Town) -> Iterator[None]:
    """Somebody's zone is misspelt in the people file while the block runs."""
    people = full_stack.folder.path / "example" / "people.yaml"
    right = people.read_text()
    people.write_text(right.replace("Europe/Amsterdam", "Europe/Amstredam", 1))
    try:
        yield
    finally:
        people.write_text(right)


def is_due_later_by(span: timedelta, earlier_view: RequestShow, later_view: RequestShow) -> bool:
    """Whether the due date moved by the time the clocks stood."""
    assert earlier_view.due_at and later_view.due_at
    return abs(later_view.due_at - earlier_view.due_at - span) < MINUTE


def is_sentence_of(view: RequestShow, *phrases: str) -> bool:
    """Whether the sentence begins with the first of these words and has the others in it."""
    return view.says.startswith(phrases[0]) and all(phrase in view.says for phrase in phrases)
