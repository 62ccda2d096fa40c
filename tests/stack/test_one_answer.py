"""Waiting for whom, since when, until when, what next and why: every place says the same, at every stage of a life."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import pytest_asyncio

from starter.queries import commands as wishes
from tests.faults.population import PATIENT, colleague, tokens
from tests.faults.town import Town, start_town
from tests.faults.vendor import CALLBACK, SENDS
from tests.stack.everywhere import DUTCH, everywhere, remembered
from workflows.model.commands import Answer, AnyCommand, Extension, NotNow, PauseCommand, Question, Resumption
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
async def it(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with start_town(tmp_path_factory.mktemp("one-answer") / "data") as made:
        people = made.folder.path / "example" / "people.yaml"
        people.write_text(people.read_text().replace(f'"id": "{DUTCH}"', f'"id": "{DUTCH}", "locale": "nl"'))
        yield made


async def test_reminded_escalated_signed_by_two_and_handed_off_as_far_as_it_goes(it: Town) -> None:
    await it.vendor.arm("drop", "*", method=CALLBACK, contains="signed", times=None)
    await it.ask("signed", FIRST, SECOND, finance=f"{it.vendor.url}{FINANCE}", policy=NOTIFIED)
    await it.until_shown("signed", lambda shown: shown.next and shown.next.at)
    assert (await everywhere(it, "signed")).says == "Core Signature is preparing the document"

    await it.vendor.disarm()
    await it.forward("signed", MINUTE)
    assert says(await everywhere(it, "signed"), f"Waiting for {FIRST} until", "a reminder follows")
    await it.forward("signed", 4 * DAY)
    assert says(await everywhere(it, "signed"), f"Waiting for {FIRST} until", "it is escalated")
    await it.forward("signed", 3 * DAY)
    escalated = await everywhere(it, "signed")
    assert says(escalated, f"Waiting for {FIRST} until", "a last warning follows")
    assert [(one.from_, one.to) for one in escalated.escalations] == [(FIRST, "chair")]

    await it.sign("signed")
    await it.until_shown("signed", lambda shown: [one.person for one in shown.waiting_for] == [SECOND])
    assert says(await everywhere(it, "signed"), f"Waiting for {SECOND} until", "a reminder follows")
    await it.vendor.arm("503", SENDS, contains=tokens(DUTCH)[0], times=None)
    await it.vendor.arm("503", FINANCE, times=None)
    await it.sign("signed")
    await it.until_shown("signed", lambda shown: shown.handoffs and shown.handoffs[0].attempts)
    assert says(await everywhere(it, "signed"), "Signed", "; telling hr")
    await it.vendor.disarm()
    await it.vendor.arm("503", FINANCE, times=None)
    await it.forward("signed", MINUTE)
    assert says(await everywhere(it, "signed"), "Signed", "; telling finance")
    await it.forward("signed", 4 * DAY)
    closed = await everywhere(it, "signed")
    assert says(closed, "Signed", "; could not tell finance")
    await remembered(it, closed)


async def test_hindered_asked_paused_misspelt_and_at_last_declined(it: Town) -> None:
    await it.vendor.arm("401", SENDS, contains="declined", times=None)
    await it.ask("declined", FIRST, SECOND)
    await it.until_shown("declined", lambda shown: shown.problem)
    hindered = await everywhere(it, "declined")
    assert says(hindered, "Problem unauthorised since", "push service answered 401")
    await it.vendor.disarm()
    await it.forward("declined", MINUTE)
    assert says(await everywhere(it, "declined"), f"Waiting for {FIRST} until", "a reminder follows")

    await wish(it, "declined", Question(person=FIRST, text="Which annex?"))
    asked = await everywhere(it, "declined")
    assert says(asked, f"Waiting for {FIRST}; reminders are paused until", f"a question of {FIRST} waits for an answer")
    await it.forward("declined", 2 * DAY)
    await wish(it, "declined", Answer(actor="legal-desk", text="Annex B"))
    answered = await everywhere(it, "declined")
    assert says(answered, f"Waiting for {FIRST} until", "a reminder follows")
    assert later_by(2 * DAY, hindered, answered)

    await wish(it, "declined", PauseCommand(actor="legal-desk", reason="a new draft"))
    paused = await everywhere(it, "declined")
    assert says(paused, f"Waiting for {FIRST}; reminders are paused: paused by legal-desk: a new draft")
    await it.forward("declined", 3 * DAY)
    with misspelt(it):
        await wish(it, "declined", Resumption(actor="legal-desk"))
        await it.until_shown("declined", lambda shown: shown.problem)
        doubted = await everywhere(it, "declined")
        assert says(doubted, f"Waiting for {FIRST} until", "a reminder follows")
        assert doubted.problem and doubted.problem.code is Code.DIRECTORY
    await it.forward("declined", timedelta(hours=1))
    resumed = await everywhere(it, "declined")
    assert resumed.problem is None
    assert later_by(3 * DAY, answered, resumed)

    await decline(it, "declined")
    await it.handle("declined").result()
    closed = await everywhere(it, "declined")
    assert says(closed, "Declined")
    await remembered(it, closed)


async def test_put_off_reassigned_extended_warned_and_expired(it: Town) -> None:
    await it.ask("expired", FIRST, policy=HANDED_OVER)
    begun = await it.until_shown("expired", lambda shown: shown.notifications)
    since = begun.waiting_for[0].since
    await wish(it, "expired", NotNow(person=FIRST, until=since + 5 * DAY))
    put_off = await everywhere(it, "expired")
    assert put_off.next and put_off.next.at == since + 5 * DAY
    # The one reminder, which the "not now" kept back, comes on the 8th day, and three days later it is used up.
    await it.forward("expired", 12 * DAY)
    reassigned = await everywhere(it, "expired")
    assert says(reassigned, f"Waiting for {SECOND} until", "a reminder follows")
    assert [one.state for one in reassigned.signers] == ["reassigned", "turn"]

    due = put_off.due_at
    assert due
    await wish(it, "expired", Extension(actor="legal-desk", due=due + 10 * DAY))
    extended = await everywhere(it, "expired")
    assert extended.due_at == due + 10 * DAY
    await it.forward("expired", 26 * DAY + 12 * HOUR)
    assert says(await everywhere(it, "expired"), f"Waiting for {SECOND} until", "a last warning follows")
    await it.forward("expired", DAY)
    assert says(await everywhere(it, "expired"), f"Waiting for {SECOND} until", "it expires")
    await it.forward("expired", DAY)
    await it.handle("expired").result()
    closed = await everywhere(it, "expired")
    assert says(closed, "Expired")
    await remembered(it, closed)


async def wish(it: Town, id: str, wish: AnyCommand) -> None:
    """Have the request take a wish, as a command or a page does."""
    await wishes.send(it.context.client, id, wish, op=f"{id}-{type(wish).__name__}")


async def decline(it: Town, id: str) -> None:
    """Let whoever's turn it is decline."""
    [one] = await it.vendor.waiting(id)
    await it.vendor.decline(one, "Clause 7 is missing")


@contextmanager
def misspelt(it: Town) -> Iterator[None]:
    """Somebody's zone is misspelt in the people file while the block runs."""
    people = it.folder.path / "example" / "people.yaml"
    right = people.read_text()
    people.write_text(right.replace("Europe/Amsterdam", "Europe/Amstredam", 1))
    try:
        yield
    finally:
        people.write_text(right)


def later_by(span: timedelta, before: RequestShow, after: RequestShow) -> bool:
    """Whether the due date moved by the time the clocks stood."""
    assert before.due_at and after.due_at
    return abs(after.due_at - before.due_at - span) < MINUTE


def says(shown: RequestShow, *words: str) -> bool:
    """Whether the sentence begins with the first of these words and has the others in it."""
    return shown.says.startswith(words[0]) and all(word in shown.says for word in words)
