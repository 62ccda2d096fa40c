"""The page of a task at the desk: what it is, who is stuck and why, and what can be done about it by whom."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.people.person import Reachable, SignersFile
from starter.queries.commands import CommandRefused, NotRunning
from starter.web.acting.actions import Action
from tests.starter.web.desk.office import (
    ENGINEER,
    LEAD,
    NOW,
    OPERATOR,
    OWNER,
    REQUESTER,
    Office,
    form_of,
    inside,
    office,
    text_of,
)
from workflows.model.commands import (
    Answer,
    Cancellation,
    Command,
    Delegation,
    Extension,
    PauseCommand,
    Replay,
    TaskCompletion,
    Unblock,
    Waiver,
)
from workflows.model.hand_off import HandoffLine, HandoffState
from workflows.model.rejections import Rejection
from workflows.model.subject import Status
from workflows.model.timeline import AskedQuestion, EventType, TimelineEntry
from workflows.model.views import AssigneeLine, Attention, AttentionCode, NextAction, NextStep, TaskShow, WaitingFor

PAGE = "/desk/tasks/keys"
STUCK = AskedQuestion(number=1, person=ENGINEER, text="No <key> fits.", at=NOW, blocks=True)
TIMELINE = (
    TimelineEntry(at=NOW - timedelta(days=4), happened=EventType.STARTED, who=OWNER),
    TimelineEntry(at=NOW - timedelta(days=4), happened=EventType.TOLD, about="ready", who=ENGINEER),
    TimelineEntry(
        at=NOW - timedelta(days=2), happened=EventType.BLOCKED, who=ENGINEER, why="No <key> fits.", said=True
    ),
    TimelineEntry(at=NOW - timedelta(days=2), happened=EventType.TOLD, about="blocked-1", who=OWNER),
    TimelineEntry(at=NOW - timedelta(days=1), happened=EventType.UNBLOCKED, who=OWNER),
)


def make_task_view(**changes: Any) -> TaskShow:
    """What a task says that waits for the engineer."""
    view = TaskShow(
        id="keys",
        kind="team-task",
        title="Hand out the keys",
        text="Two for everybody.",
        requester=OWNER,
        status=Status.OPEN,
        waiting_for=(WaitingFor(person=ENGINEER, since=NOW - timedelta(days=4)),),
        next=NextAction(what=NextStep.REMIND, at=NOW + timedelta(days=1), why="x"),
        due_at=NOW + timedelta(days=14),
        people=(AssigneeLine(person=ENGINEER, state="asked"), AssigneeLine(person="chair", state="reassigned", at=NOW)),
        timeline=TIMELINE,
        says="Waiting for engineer",
    )
    return view.replace(**changes)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as opened_office:
        opened_office.views["task:keys"] = make_task_view()
        yield opened_office


async def test_who_asked_reads_what_it_is_where_it_stands_and_what_happened_in_words(desk: Office) -> None:
    text = text_of(await (await desk.come_in(OWNER)).get(PAGE))
    for phrase in (
        "Hand out the keys to be done Task · asked by Owner · keys Two for everybody.",
        "Waiting for Engineer. A reminder follows on Fri, 27 Nov 2026, 15:00 (Amsterdam).",
        "Who was asked Engineer asked Chair handed over",
        "Owner asked for it",
        "Engineer cannot go on No <key> fits.",
        "Owner was told that somebody cannot go on",
        "Owner cleared the way",
    ):
        assert phrase in text
    assert "have signed" not in text


async def test_a_customer_who_stands_in_full_is_named_and_why_they_cannot_go_on_stands_there(desk: Office) -> None:
    buyer = Reachable(name="Buyer", email="buyer@example.org", zone="Asia/Tokyo")
    await desk.store.people.keep("task:keys", "f" * 64, SignersFile.dump_signers([buyer], ["signer-1"]) or b"")
    desk.views["task:keys"] = make_task_view(
        people=(AssigneeLine(person="signer-1", state="asked"),), question=STUCK.replace(person="signer-1")
    )
    text = text_of(await (await desk.come_in(OWNER)).get(PAGE))
    assert "Buyer cannot go on No <key> fits." in text and "Buyer asked" in text
    assert "signer-1" not in text


async def test_the_owner_gives_a_step_to_a_colleague_whom_the_task_names_or_to_anybody_of_the_directory(
    desk: Office,
) -> None:
    office = Reachable(name="Back <i>office</i>", email="office@example.org", zone="Asia/Tokyo")
    people = SignersFile.dump_signers([None, office], [None, "signer-2"]) or b""
    await desk.store.people.keep("task:keys", "f" * 64, people)
    desk.views["task:keys"] = make_task_view(colleagues=("signer-2",))
    owner = await desk.come_in(OWNER)
    asking = await owner.get(f"{PAGE}/delegate")
    assert '<option value="signer-2">Back &lt;i&gt;office&lt;/i&gt;</option>' in asking.text
    for recipient, status in (
        ("signer-2", 303),
        ("lead@example.test", 303),
        ("signer-3", 409),
        ("office@example.org", 409),
    ):
        answer = await owner.press(await owner.get(f"{PAGE}/delegate"), signer=ENGINEER, to=recipient)
        assert answer.status_code == status, recipient
    assert [command.to for _, command, _ in desk.commands if isinstance(command, Delegation)] == ["signer-2", LEAD]


@pytest.mark.parametrize("person", [OWNER, OPERATOR])
async def test_the_owner_and_operators_may_do_everything(desk: Office, person: str) -> None:
    page = (await (await desk.come_in(person)).get(PAGE)).text
    offered = [action for action in Action if f'href="/people{PAGE}/{action}"' in page]
    assert offered == [
        Action.DONE, Action.REMIND, Action.EXTEND, Action.DELEGATE, Action.PAUSE, Action.WAIVE, Action.CANCEL,
    ]  # fmt: skip


async def test_who_was_asked_is_led_to_their_own_page_and_their_manager_only_looks(desk: Office) -> None:
    engineer = await desk.come_in(ENGINEER)
    page = await engineer.get(PAGE)
    assert ("/people/task/" in page.text, "Open the task" in page.text) == (True, True)
    assert "Two for everybody." in page.text
    assert "What happened" not in page.text
    assert (await engineer.get(f"{PAGE}/done")).status_code == 404
    looked = await (await desk.come_in(LEAD)).get(PAGE)
    assert ("Engineer" in looked.text, "/people/task/" in looked.text) == (True, False)
    assert (await (await desk.come_in(REQUESTER)).get(PAGE)).status_code == 404


async def test_what_is_to_be_decided_leads_to_the_onboarding_and_is_not_ended_here(desk: Office) -> None:
    desk.views["task:keys"] = make_task_view(kind="onboarding-decision", id="acme.1.1.decide")
    for person in (ENGINEER, OWNER):
        page = (await (await desk.come_in(person)).get(PAGE)).text
        assert ("/people/task/" in page, "Open the onboarding" in page) == (False, person == ENGINEER)
        assert ('/people/desk/onboardings/acme"' in page) == (person == ENGINEER)
        assert not [action for action in (Action.DONE, Action.WAIVE, Action.CANCEL) if f"{PAGE}/{action}" in page]


async def test_a_manager_reads_neither_title_nor_text_that_is_for_no_locked_screen(desk: Office) -> None:
    desk.views["task:keys"] = make_task_view(kind="offer-letter")
    text = text_of(await (await desk.come_in(LEAD)).get(PAGE))
    assert "A task of kind Offer letter" in text
    assert not any(phrase in text for phrase in ("Hand out the keys", "Two for everybody."))


@pytest.mark.parametrize(
    ("action", "fields", "command"),
    [
        (Action.DONE, {"text": "Three are left."}, TaskCompletion(actor=OWNER, note="Three are left.")),
        (Action.WAIVE, {"text": "Nobody moves in."}, Waiver(actor=OWNER, reason="Nobody moves in.")),
        (Action.CANCEL, {"text": "by mistake"}, Cancellation(actor=OWNER, reason="by mistake")),
        (Action.PAUSE, {"text": ""}, PauseCommand(actor=OWNER)),
        (Action.EXTEND, {"due": "2026-12-24"}, Extension(actor=OWNER, due=date(2026, 12, 24))),
        (Action.DELEGATE, {"signer": ENGINEER, "to": "lead"}, Delegation(actor=OWNER, signer=ENGINEER, to=LEAD)),
    ],
)
async def test_each_action_is_asked_for_again_and_then_done_once(
    desk: Office, action: Action, fields: dict[str, str], command: Command
) -> None:
    owner = await desk.come_in(OWNER)
    asking = await owner.get(f"{PAGE}/{action}")
    assert ("Core Signature" in asking.text, desk.commands) == (False, [])
    answers = [await owner.press(asking, **fields) for _ in range(2)]
    assert {inside(answer) for answer in answers} == {f"/people{PAGE}?done={action}"}
    assert {(id, sent_command) for id, sent_command, _ in desk.commands} == {
        ("task:keys", command.replace(op=desk.commands[0][2]))
    }
    assert 'role="status"' in (await owner.get(f"{PAGE}?done={action}")).text


async def test_what_is_in_the_way_is_read_and_cleared_and_a_question_answered(desk: Office) -> None:
    owner = await desk.come_in(OWNER)
    desk.views["task:keys"] = make_task_view(question=STUCK)
    assert "Engineer cannot go on No <key> fits. Answer Not answered yet." in text_of(await owner.get(PAGE))
    asking = await owner.get(f"{PAGE}/unblock")
    assert "No &lt;key&gt; fits." in asking.text
    await owner.press(asking, text="Take mine.")
    desk.views["task:keys"] = make_task_view(question=STUCK.replace(blocks=False))
    await owner.press(await owner.get(f"{PAGE}/answer"), text="The blue one.")
    assert [type(command) for _, command, _ in desk.commands] == [Unblock, Answer]


async def test_while_it_is_paused_it_is_let_go_on_and_what_has_ended_is_only_read(desk: Office) -> None:
    owner = await desk.come_in(OWNER)
    desk.views["task:keys"] = make_task_view(
        attention=(Attention(code=AttentionCode.PAUSED, since=NOW, says="paused"),)
    )
    page = (await owner.get(PAGE)).text
    assert (f"{PAGE}/resume" in page, f"{PAGE}/pause" in page, f"{PAGE}/done" in page) == (True, False, True)
    done_entry = TimelineEntry(at=NOW, happened=EventType.DONE, who=ENGINEER, why="Three are left.")
    people = (AssigneeLine(person=ENGINEER, state="done", at=NOW), AssigneeLine(person="chair", state="spared", at=NOW))
    desk.views["task:keys"] = make_task_view(
        status=Status.DONE, waiting_for=(), next=None, people=people, timeline=(*TIMELINE, done_entry), done_by=ENGINEER
    )
    text = text_of(await owner.get(PAGE))
    for phrase in ("It has been done.", "Engineer has done it Three are left.", "Chair need not act"):
        assert phrase in text
    assert "Waive the task" not in text


async def test_an_ending_is_handed_off_again_to_a_target_that_is_dead(desk: Office) -> None:
    owner = await desk.come_in(OWNER)
    dead = HandoffLine(target="finance", state=HandoffState.DEAD, attempts=9, at=NOW)
    done_line = HandoffLine(target="crm", state=HandoffState.DONE, attempts=1, at=NOW)
    desk.views["task:keys"] = make_task_view(status=Status.DONE, waiting_for=(), next=None, handoffs=(dead, done_line))
    page = (await owner.get(PAGE)).text
    assert [action for action in Action if f'href="/people{PAGE}/{action}"' in page] == [Action.REPLAY]
    asking = await owner.get(f"{PAGE}/replay")
    assert ('<option value="finance"' in asking.text, '<option value="crm"' in asking.text) == (True, False)
    desk.answer = CommandRefused(Rejection.CANNOT_BE_TOLD.to_message(target="finance"))
    assert (await owner.press(asking, signer="finance")).status_code == 409
    desk.answer = None
    answer = await owner.press(asking, signer="finance")
    [*_, (reference, command, op)] = desk.commands
    assert (reference, command) == ("task:keys", Replay(actor=OWNER, target="finance", op=op))
    assert "It was handed off again." in text_of(await owner.get(inside(answer)))
    assert (await (await desk.come_in(LEAD)).get(f"{PAGE}/replay")).status_code == 404
    desk.views["task:keys"] = make_task_view(status=Status.DONE, waiting_for=(), next=None, handoffs=(done_line,))
    assert f"{PAGE}/replay" not in (await owner.get(PAGE)).text


async def test_a_refusal_and_what_came_too_late_are_said(desk: Office) -> None:
    owner = await desk.come_in(OWNER)
    desk.answer = CommandRefused(Rejection.EMPTY.to_message(what="the reason"))
    page = await owner.press(await owner.get(f"{PAGE}/waive"), text=" ")
    assert (page.status_code, "This was not done: there is no text in it." in text_of(page)) == (409, True)
    desk.answer = NotRunning("keys")
    late = await owner.press(await owner.get(f"{PAGE}/done"), text="")
    assert "too late" in text_of(await owner.get(inside(late)))


async def test_who_was_asked_to_come_in_lands_at_the_task_and_nowhere_else(desk: Office) -> None:
    laptop = desk.browser()
    code_page = await laptop.press(await laptop.get(PAGE), who=OWNER)
    entered = await laptop.press(await laptop.get(inside(code_page)), code=desk.code())
    assert inside(entered) == f"/people{PAGE}"


@pytest.mark.parametrize("target", ["tasks/keys/done", "tasks/..", "//elsewhere.example", "asked", "tasks/a%0ab"])
async def test_an_address_leads_to_no_other_page(desk: Office, target: str) -> None:
    laptop = desk.browser()
    form = form_of((await laptop.get(PAGE)).text)[1]
    code_page = await laptop.post(f"/desk/sign-in?to={target}", form | {"who": OWNER})
    entered = await laptop.press(await laptop.get(inside(code_page)), code=desk.code())
    assert inside(entered) == "/people/desk"
