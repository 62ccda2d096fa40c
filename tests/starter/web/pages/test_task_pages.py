"""What somebody finds behind the link of a task, and what its forms have the task take: by a POST, once, as theirs."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activities.notifications.links import LinkUse, Through
from activities.people.ids import position_word
from activities.people.person import Reachable, SignersFile
from starter.queries.commands import CommandRefused
from starter.web.acting.actions import Action
from tests.starter.web.paging import (
    DUTCH,
    FIRST,
    NOW,
    PUBLIC,
    SECOND,
    Phone,
    form_of,
    option_of,
    phone,
    text_of,
    values_of,
)
from workflows.model.commands import (
    Answer,
    Block,
    Decision,
    Delegation,
    PartOutcome,
    Question,
    SnoozeCommand,
    TaskCompletion,
    Unblock,
)
from workflows.model.rejections import Rejection, plain, reason_fault
from workflows.model.schedule import EscalationReason
from workflows.model.subject import Status, ToDecide
from workflows.model.timeline import AskedQuestion, EscalationEntry
from workflows.model.views import AssigneeLine, Choices, GivenAnswer, OnboardingShow, TaskShow

TASK, OWNER = "task:keys", "legal-desk"
TITLE, TEXT = "Hand out the keys <b>2</b>", "To everybody new.\nBefore noon."
DUE = datetime(2026, 12, 11, 17, 0, tzinfo=UTC)
OPTIONS = (
    Action.DONE,
    Action.LATER,
    Action.DELEGATE,
    Action.BLOCK,
    Action.ASK,
    Action.ANSWER,
    Action.UNBLOCK,
)


def choices(person: str = FIRST, **changes: Any) -> Choices:
    all_choices = Choices(person=person, snoozes_left=2, snooze_until=None, hand_over=True, ask=True)
    return all_choices.replace(**changes)


def make_view(*offered: Choices, **changes: Any) -> TaskShow:
    """The task as its workflow knows it."""
    people = tuple(AssigneeLine(person=person, state="asked") for person in (FIRST, SECOND, DUTCH))
    view = TaskShow(id="keys", kind="task", title=TITLE, text=TEXT, people=people, status=Status.OPEN)
    return view.replace(**{"requester": OWNER, "due_at": DUE, "choices": offered or (choices(),)} | changes)


def make_ended_view(outcome: Status, done_by: str = FIRST) -> TaskShow:
    people = tuple(
        AssigneeLine(person=person, state="done" if outcome is Status.DONE and person == done_by else "spared")
        for person in (FIRST, SECOND)
    )
    doer = done_by if outcome is Status.DONE else None
    return make_view().replace(status=outcome, choices=(), people=people, done_by=doer)


def stuck(blocks: bool = True) -> AskedQuestion:
    return AskedQuestion(number=1, person=FIRST, text="No <key> fits.", at=NOW, blocks=blocks)


@pytest.fixture
async def doer(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone(tmp_path) as opened_phone:
        opened_phone.views[TASK] = make_view()
        yield opened_phone


def link(doer: Phone, person: str = FIRST, use: LinkUse = LinkUse.DO) -> str:
    return doer.link(person, use, TASK)


async def list_offered_actions(doer: Phone, path: str) -> list[Action]:
    page = (await doer.open(path)).text
    return [act for act in OPTIONS if option_of(page, act)]


async def test_the_page_says_what_is_to_be_done_for_whom_and_by_when(doer: Phone) -> None:
    assert link(doer).startswith("/task/")
    answer = await doer.open(link(doer))
    text = text_of(answer.text)
    assert answer.status_code == 200
    for phrase in ("A task for you", TITLE, "To everybody new. Before noon.", "Asked by Legal desk , Acme"):
        assert phrase in text
    assert "Due in 15 days, Fri, 11 Dec Fri, 11 Dec 2026, 12:00 (New York)" in text
    assert "&lt;b&gt;2&lt;/b&gt;" in answer.text


async def test_the_page_offers_to_say_that_it_is_done_put_it_off_hand_it_over_or_say_what_is_in_the_way(
    doer: Phone,
) -> None:
    page = (await doer.open(link(doer))).text
    assert await list_offered_actions(doer, link(doer)) == [
        Action.DONE,
        Action.LATER,
        Action.DELEGATE,
        Action.BLOCK,
        Action.ASK,
    ]
    assert form_of(page)["act"] == Action.DONE
    assert "last warning" not in text_of(page), "its policy may have none"
    for phrase in ("Mark as done", "Mark as done, with a note", "Not now", "I cannot go on, because …"):
        assert phrase in text_of(page)


DECISION = {"kind": "onboarding-decision", "id": "acme.eu.1.12.r2.decide.r2"}
ONBOARDING = "customer-onboarding:acme.eu"


async def test_what_is_to_be_decided_is_decided_on_its_page_and_cannot_be_marked_as_done(doer: Phone) -> None:
    """Done says nothing of what becomes of the part, so the same would be asked again."""
    to_decide = ToDecide(onboarding="acme.eu", part="contract")
    doer.views[TASK] = make_view(decides=to_decide, text="MSA: A signer declined. Clause 4 <b>never</b>.", **DECISION)
    doer.views[ONBOARDING] = OnboardingShow(id="acme.eu", kind="onboarding", status=Status.OPEN, title="Acme")
    answer = await doer.open(link(doer))
    text = text_of(answer.text)
    assert await list_offered_actions(doer, link(doer)) == [Action.LATER, Action.DELEGATE, Action.ASK]
    for phrase in ("Your decision is needed", "Clause 4 <b>never</b>.", "Countersign asks you itself"):
        assert phrase in text
    assert "Asked by" not in text, "whoever owns the task never asked"
    assert 'value="done"' not in answer.text
    assert 'class="again calm" href="../desk/onboardings/acme.eu"' in answer.text
    choices = [
        (Action.AGAIN, PartOutcome.RESEND),
        (Action.GO_ON, PartOutcome.WAIVE),
        (Action.STOP, PartOutcome.STOP),
    ]
    for act, choice in choices:
        decided = await doer.post_option(link(doer), act, text="They want it ")
        assert "You have decided" in text_of(decided.text)
        assert doer.recorder.commands[-1][0] == Decision(
            actor=FIRST, part="contract", choice=choice, reason="They want it"
        )
    doer.recorder.commands.clear()
    await doer.post(link(doer), option_of(answer.text, Action.ASK) | {"act": Action.DONE})
    assert doer.recorder.commands == []
    doer.recorder.failure = CommandRefused(Rejection.NOTHING_TO_DECIDE.to_message(part="msa", state="signed"))
    assert (await doer.post_option(link(doer), Action.STOP, text="no")).status_code == 409


async def test_a_get_changes_nothing(doer: Phone) -> None:
    for _ in range(3):
        await doer.open(link(doer))
    assert (await doer.browser.head(link(doer))).status_code == 200
    assert doer.recorder.commands == []


async def test_one_tap_says_that_it_is_done_once_however_often_it_is_tapped(doer: Phone) -> None:
    form = form_of((await doer.open(link(doer))).text)
    answers = await asyncio.gather(*(doer.post(link(doer), form) for _ in range(3)))
    assert {answer.headers["location"] for answer in answers} == {f"{link(doer).rpartition('/')[2]}?done=done"}
    assert {command for command, _ in doer.recorder.commands} == {TaskCompletion(actor=FIRST)}
    assert len({op for _, op in doer.recorder.commands}) == 1


@pytest.mark.parametrize(
    ("act", "text", "command"),
    [
        (Action.DONE, "Two are left.\u202e", TaskCompletion(actor=FIRST, note="Two are left.")),
        (Action.BLOCK, "No key fits.", Block(person=FIRST, because="No key fits.")),
        (Action.ASK, "Which door?", Question(person=FIRST, text="Which door?")),
        (Action.DELEGATE, "", Delegation(actor=FIRST, signer=FIRST, to="customer-deputy")),
        (Action.LATER, "", SnoozeCommand(person=FIRST, until=datetime(2026, 11, 27, 14, 0, tzinfo=UTC))),
    ],
)
async def test_each_form_is_one_command_of_whoever_was_asked(
    doer: Phone, act: Action, text: str, command: object
) -> None:
    answer = await doer.post_option(link(doer), act, text=text)
    assert (answer.status_code, [sent_command for sent_command, _ in doer.recorder.commands]) == (303, [command])


async def test_the_note_is_not_needed_the_reason_is(doer: Phone) -> None:
    page = (await doer.open(link(doer))).text
    attributes_by_action = {
        act: f'id="{act}-text" name="text" dir="auto" rows="4" maxlength="1000" required' for act in OPTIONS
    }
    assert (attributes_by_action[Action.DONE] in page, attributes_by_action[Action.BLOCK] in page) == (False, True)


async def test_who_has_done_it_is_thanked_and_the_others_read_that_somebody_else_has(doer: Phone) -> None:
    doer.views[TASK] = make_ended_view(Status.DONE)
    own_page, other_page = await doer.open(link(doer)), await doer.open(link(doer, SECOND))
    assert f"You have marked {TITLE} as done." in text_of(own_page.text)
    assert "Somebody else has done it" in text_of(other_page.text)
    assert (own_page.status_code, other_page.status_code) == (200, 410)
    assert "Hand out" not in text_of(other_page.text)
    assert await list_offered_actions(doer, link(doer)) == await list_offered_actions(doer, link(doer, SECOND)) == []


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (Status.WAIVED, "Nobody needs to do it any more."),
        (Status.CANCELLED, "It was cancelled; nothing is left to do."),
        (Status.EXPIRED, "It was not done in time."),
    ],
)
async def test_what_ended_undone_says_how(doer: Phone, outcome: Status, sentence: str) -> None:
    doer.views[TASK] = make_ended_view(outcome)
    answer = await doer.open(link(doer))
    assert answer.status_code == 410
    assert f"This task has ended {sentence}" in text_of(answer.text)


async def test_who_comes_second_reads_that_it_is_done_already(doer: Phone) -> None:
    form = form_of((await doer.open(link(doer))).text)
    doer.views[TASK] = make_ended_view(Status.DONE, done_by=SECOND)
    answer = await doer.post(link(doer), form)
    assert (answer.status_code, doer.recorder.commands) == (303, [])
    assert "Somebody else has done it" in text_of((await doer.open(link(doer))).text)


async def test_who_hands_it_over_reads_that_they_did(doer: Phone) -> None:
    doer.views[TASK] = make_view(choices("customer-deputy")).replace(
        people=(AssigneeLine(person=FIRST, state="reassigned"), AssigneeLine(person="customer-deputy", state="asked"))
    )
    assert "It was handed over" in text_of((await doer.open(link(doer))).text)
    assert await list_offered_actions(doer, link(doer)) == []


async def test_who_is_stuck_may_still_be_done_with_it_and_reads_what_they_wrote(doer: Phone) -> None:
    doer.views[TASK] = make_view(choices(ask=False)).replace(question=stuck())
    page = (await doer.open(link(doer))).text
    assert "You cannot go on No <key> fits. Answer Not answered yet." in text_of(page)
    sent = "Sent. Whoever asked for this hears why. Reminders are paused."
    assert sent not in text_of(page)
    assert sent in text_of((await doer.open(f"{link(doer)}?done=block")).text)
    assert await list_offered_actions(doer, link(doer)) == [Action.DONE, Action.LATER, Action.DELEGATE]


@pytest.mark.parametrize(
    ("blocks", "act", "command"),
    [
        (True, Action.UNBLOCK, Unblock(actor=OWNER, text="Take mine.")),
        (False, Action.ANSWER, Answer(actor=OWNER, text="Take mine.")),
    ],
)
async def test_the_owner_clears_the_way_or_answers(doer: Phone, blocks: bool, act: Action, command: object) -> None:
    doer.views[TASK] = make_view().replace(question=stuck(blocks))
    owner = link(doer, OWNER, LinkUse.VIEW)
    text = text_of((await doer.open(owner)).text)
    assert ("Customer cannot go on" in text) is blocks
    assert await list_offered_actions(doer, owner) == [act]
    await doer.post_option(owner, act, text="Take mine.")
    assert [sent_command for sent_command, _ in doer.recorder.commands] == [command]


async def customer(doer: Phone, **changes: Any) -> str:
    """The link of a customer who stands in full in the file of the task, as two colleagues of theirs do."""
    people = [
        Reachable(name=name, email=f"{locale}@acme.test", zone="Asia/Tokyo", locale=locale)
        for name, locale in (("Buyer", "fr"), ("Back <i>office</i>", "en"), ("Accounts", "en"))
    ]
    ids = map(position_word, range(1, len(people) + 1))
    await doer.store.people.keep(TASK, "f" * 64, SignersFile.dump_signers(people, ids) or b"")
    assignees = (AssigneeLine(person="signer-1", state="asked"),)
    view = make_view(choices("signer-1"), people=assignees, colleagues=("signer-2", "signer-3"))
    doer.views[TASK] = view.replace(**changes)
    return link(doer, "signer-1")


async def test_a_customer_who_stands_in_full_has_the_page_in_their_language_on_their_clock(doer: Phone) -> None:
    page = text_of((await doer.open(await customer(doer))).text)
    for phrase in ("Une tâche pour vous", TITLE, "(Tokyo)", "Legal desk"):
        assert phrase in page


@pytest.mark.parametrize(
    ("act", "text", "command"),
    [
        (Action.DONE, "", TaskCompletion(actor="signer-1")),
        (Action.BLOCK, "No key.", Block(person="signer-1", because="No key.")),
        (Action.ASK, "Which?", Question(person="signer-1", text="Which?")),
        (Action.LATER, "", SnoozeCommand(person="signer-1", until=datetime(2026, 11, 27, 0, 0, tzinfo=UTC))),
    ],
)
async def test_a_customer_s_forms_are_commands_of_their_own(
    doer: Phone, act: Action, text: str, command: object
) -> None:
    answer = await doer.post_option(await customer(doer), act, text=text)
    assert (answer.status_code, [sent_command for sent_command, _ in doer.recorder.commands]) == (303, [command])


async def test_a_customer_chooses_one_of_the_colleagues_whom_the_file_names_and_nobody_else(doer: Phone) -> None:
    path = await customer(doer)
    page = (await doer.open(path)).text
    assert values_of(page, Action.DELEGATE) == ["signer-2", "signer-3"]
    assert "Back &lt;i&gt;office&lt;/i&gt;" in page and "Accounts" in text_of(page)
    for stranger in ("customer-deputy", "chair", "anybody@elsewhere.test", "signer-1", "signer-4", ""):
        answer = await doer.post_option(path, Action.DELEGATE, stranger)
        assert answer.status_code == 409, stranger
    assert doer.recorder.commands == []
    await doer.post_option(path, Action.DELEGATE, "signer-3")
    assert [sent_command for sent_command, _ in doer.recorder.commands] == [
        Delegation(actor="signer-1", signer="signer-1", to="signer-3")
    ]


async def test_who_was_asked_before_or_is_away_is_no_colleague_to_choose(doer: Phone) -> None:
    people = (
        AssigneeLine(person="signer-3", state="reassigned"),
        AssigneeLine(person="signer-1", state="asked"),
    )
    page = (await doer.open(await customer(doer, people=people))).text
    assert values_of(page, Action.DELEGATE) == ["signer-2"]


async def test_who_handed_over_to_a_colleague_reads_to_whom(doer: Phone) -> None:
    hand_over = EscalationEntry(from_="signer-1", to="signer-3", reason=EscalationReason.MANUAL, at=NOW)
    people = (AssigneeLine(person="signer-1", state="reassigned"), AssigneeLine(person="signer-3", state="asked"))
    path = await customer(doer, people=people, choices=(), escalations=(hand_over,))
    assert "Accounts" in text_of((await doer.open(path)).text)


@pytest.mark.parametrize("act", [Action.ASK, Action.BLOCK, Action.DONE])
async def test_ten_thousand_characters_with_markup_that_turn_around_are_refused_in_words_and_kept(
    doer: Phone, act: Action
) -> None:
    """What a browser can post: as large as it gets, in what is said of it nothing is markup and nothing turns."""
    path = await customer(doer)
    text = ("<script>alert(1)</script>\u202e🖋️" * 400)[:10_000]
    field_names = {Action.ASK: "the question", Action.BLOCK: "the reason", Action.DONE: "the note"}
    doer.recorder.failure = CommandRefused(
        reason_fault(plain(text), field_names[act]) or Rejection.EMPTY.to_message(what="the reason")
    )
    answer = await doer.post_option(path, act, text=text)
    assert answer.status_code == 409
    assert "le texte dépasse 1000 caractères." in text_of(answer.text)
    assert "<script>" not in answer.text and "\u202e" not in answer.text
    assert answer.text.count("&lt;script&gt;alert(1)&lt;/script&gt;🖋️") > 300
    assert (await doer.post_option(path, act, text=10 * text)).status_code == 400


async def test_the_owner_reads_a_customer_s_name_and_no_other_onlooker_the_reason(doer: Phone) -> None:
    path = await customer(doer, question=stuck().replace(person="signer-1"))
    assert "No <key> fits." in text_of((await doer.open(path)).text)
    owner = text_of((await doer.open(link(doer, OWNER, LinkUse.VIEW))).text)
    assert "Buyer cannot go on" in owner and "No <key> fits." in owner
    assert "No <key> fits." not in text_of((await doer.open(link(doer, "chair", LinkUse.VIEW))).text)


async def test_an_onlooker_reads_who_was_asked_and_can_do_nothing(doer: Phone) -> None:
    doer.views[TASK] = make_ended_view(Status.DONE)
    text = text_of((await doer.open(link(doer, "chair", LinkUse.VIEW))).text)
    assert "Done" in text and "It has been done." in text
    assert "Who was asked Customer has done it Chief Executive need not act" in text
    assert await list_offered_actions(doer, link(doer, "chair", LinkUse.VIEW)) == []


async def test_while_nobody_answers_the_link_still_works_and_nothing_is_offered(doer: Phone) -> None:
    form = form_of((await doer.open(link(doer))).text)
    for view in (None, make_view().replace(partial=True, people=(), choices=())):
        doer.views.clear()
        if view:
            doer.views[TASK] = view
        answer = await doer.open(link(doer))
        assert (answer.status_code, TITLE in text_of(answer.text)) == ((200, True) if view else (503, False))
        assert await list_offered_actions(doer, link(doer)) == []
        pressed = await doer.post(link(doer), form | {"text": "Two are left."})
        assert pressed.status_code == 503
        assert "Two are left.</textarea>" in pressed.text
        repeated_form = option_of(pressed.text, Action.DONE)
        assert repeated_form == form | {"value": ""}
    assert doer.recorder.commands == []


async def test_a_refusal_stands_above_what_holds_by_now(doer: Phone) -> None:
    doer.recorder.failure = CommandRefused(Rejection.BLOCKED.to_message())
    answer = await doer.post_option(link(doer), Action.BLOCK, text="No key fits.")
    assert answer.status_code == 409
    assert "This was not done: it is blocked already." in text_of(answer.text)
    assert "No key fits.</textarea>" in answer.text


@pytest.mark.parametrize("changes", [{"token": "x.y"}, {"act": Action.SIGN}, {"act": Action.RESEND}, {"act": "sing"}])
async def test_what_no_form_of_the_page_posts_changes_nothing(doer: Phone, changes: dict[str, str]) -> None:
    form = form_of((await doer.open(link(doer))).text)
    answer = await doer.post(link(doer), form | changes)
    assert (answer.status_code, doer.recorder.commands) == (403 if "token" in changes else 303, [])


async def test_the_page_speaks_the_language_of_its_reader(doer: Phone) -> None:
    doer.views[TASK] = make_view(choices(DUTCH))
    text = text_of((await doer.open(link(doer, DUTCH))).text)
    for phrase in ("Een taak voor u", "Legal desk", "Als gedaan melden", "Ik kan niet verder"):
        assert phrase in text


ASKED = GivenAnswer(label="Address for <invoices>", lines=4)


async def test_the_answer_that_a_task_asks_for_stands_in_front_and_sending_it_does_the_task(doer: Phone) -> None:
    doer.views[TASK] = make_view(answer=ASKED)
    page = (await doer.open(link(doer))).text
    field = page.index('rows="4"')
    # What else may be done is folded up behind it; the deadline's `<details class=…>` stands above.
    assert page.index("Address for &lt;invoices&gt;") < field < page.index("Send the answer") < page.index("<details>")
    assert "Mark as done" not in page
    form = form_of(page) | {"text": "1 Rue du Port"}
    answer = await doer.post(link(doer), form)
    assert (answer.status_code, [command for command, _ in doer.recorder.commands]) == (
        303,
        [TaskCompletion(actor=FIRST, note="1 Rue du Port")],
    )
    doer.recorder.failure = CommandRefused(Rejection.ANSWER_NEEDED.to_message(label="Address for <invoices>"))
    refused = await doer.post(link(doer), form)
    assert "This was not done: an answer is needed." in text_of(refused.text)
    assert "1 Rue du Port</textarea>" in refused.text and "Mark as done" not in refused.text


async def test_the_receipt_of_an_answer_has_it_and_the_way_back_to_the_page_that_led_there(doer: Phone) -> None:
    doer.views[TASK] = make_ended_view(Status.DONE).replace(answer=ASKED.replace(text="1 Rue <du> Port"))
    through = Through("customer-onboarding:acme", FIRST)
    path = doer.links.link(TASK, FIRST, LinkUse.DO, through=through).removeprefix(PUBLIC)
    page = (await doer.open(path)).text
    assert '<blockquote dir="auto">1 Rue &lt;du&gt; Port</blockquote>' in page
    [back] = re.findall(r'<a class="again" href="\.\.(/journey/[^"]+)">Back to your onboarding', page)
    claim = doer.links.open(back.rpartition("/")[2])
    assert (claim.request, claim.person, claim.use) == ("customer-onboarding:acme", FIRST, LinkUse.VIEW)
    assert "Back to your onboarding" not in (await doer.open(link(doer))).text
