"""The page of a request: who may see what of it, what happened in words, and what can be done about it."""

import re
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from activities.core_signature.passwords import SignerPasswords
from activities.documents.files import SIGNED
from activities.keys import KeyRing
from activities.notifications.links import LinkUse, SigningLinks
from activities.people.language import LANGUAGES, Language
from activities.records.downloads import Way
from activities.records.evidence import SignedDocument, SignedFile
from starter.queries.commands import CommandRefused, NotConfirmed, NotRunning
from starter.web.acting.actions import ACTIONS, Action
from starter.web.acting.kinds import spec_of
from starter.web.screens.rendering import Brand, Logo
from starter.web.screens.status import StateOwner, chip_of, status_chip
from tests.starter.web.desk.office import (
    DUTCH,
    MANAGER,
    NOW,
    OPERATOR,
    PUBLIC,
    REQUESTER,
    SECRET,
    SIGNER,
    Office,
    form_of,
    inside,
    office,
    text_of,
)
from workflows.kinds import Kind, kinds
from workflows.model.commands import (
    Answer,
    Cancellation,
    Command,
    Delegation,
    Extension,
    PauseCommand,
    ReminderCommand,
    Resumption,
)
from workflows.model.evidence import KeptFile
from workflows.model.hand_off import HandoffLine, HandoffState
from workflows.model.notifications import Notification
from workflows.model.receipts import OperationState, Receipt
from workflows.model.rejections import Rejection
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status, Verify
from workflows.model.timeline import AskedQuestion, EventType, TimelineEntry
from workflows.model.views import Attention, AttentionCode, NextAction, NextStep, RequestShow, SignerLine, WaitingFor

ID = "msa-0042"
PAGE = f"/desk/requests/{ID}"
PDF = b"%PDF-1.7 signed"
REASON = "We do not agree to =clause 4 <b>at all</b>."
TIMELINE = (
    TimelineEntry(at=NOW - timedelta(days=4), happened=EventType.STARTED, who=REQUESTER),
    TimelineEntry(at=NOW - timedelta(days=4), happened=EventType.SENT, who="core-signature"),
    TimelineEntry(at=NOW - timedelta(days=4), happened=EventType.TOLD, about="ready", who=SIGNER),
    TimelineEntry(
        at=NOW - timedelta(days=2), happened=EventType.SUPPRESSED, about="reminder-1", who=SIGNER, why="absent"
    ),
    TimelineEntry(at=NOW - timedelta(days=1), happened=EventType.DUE_MOVED, about="2026-12-11", who=MANAGER),
    TimelineEntry(at=NOW - timedelta(days=1), happened=EventType.SNOOZED, about="2026-11-29 08:00 UTC", who=SIGNER),
    TimelineEntry(at=NOW - timedelta(hours=1), happened="something newer", who=SIGNER, why="as it is"),
)


def make_request_view(**changes: Any) -> RequestShow:
    """What a request says that waits for the chair."""
    signers = (
        SignerLine(person=SIGNER, order=1, role=Role.SIGN, state=SignerState.TURN),
        SignerLine(person="customer", order=2, role=Role.SIGN, state=SignerState.WAITING),
    )
    view = RequestShow(
        id=ID,
        kind="nda",
        document="Master services agreement",
        requester=REQUESTER,
        status=Status.SENT,
        waiting_for=(WaitingFor(person=SIGNER, since=NOW - timedelta(days=4)),),
        next=NextAction(what=NextStep.REMIND, at=NOW + timedelta(days=1), why="x"),
        due_at=NOW + timedelta(days=14),
        signers=signers,
        timeline=TIMELINE,
        says="Waiting for chair",
    )
    return view.replace(**changes)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as opened_office:
        opened_office.views[ID] = make_request_view()
        yield opened_office


async def test_who_asked_reads_where_it_stands_and_what_happened_in_words(desk: Office) -> None:
    text = text_of(await (await desk.come_in(REQUESTER)).get(PAGE))
    for phrase in (
        "Waiting for Chair. A reminder follows on Fri, 27 Nov 2026, 15:00 (Amsterdam).",
        "0 of 2 have signed",
        "Sun, 22 Nov 2026 15:00 Chair was asked 15:00 The document was sent 15:00 Legal Desk asked for it",
        "The document was sent",
        "Chair was asked",
        "Chair was not told (they are away)",
        "Head of Legal moved the due date to Fri, 11 Dec 2026",
        "Chair wants to be reminded on Sun, 29 Nov 2026, 09:00",
        "something newer Chair (as it is)",
    ):
        assert phrase in text


async def test_who_asked_alone_reads_the_passwords_that_core_signature_asks_for(desk: Office) -> None:
    line = SignerLine(person=SIGNER, order=1, role=Role.SIGN, state=SignerState.TURN, verify=Verify.PASSWORD)
    desk.views[ID], password = make_request_view(signers=(line,)), SignerPasswords(SECRET).derive(ID, SIGNER)
    assert password in text_of(await (await desk.come_in(REQUESTER)).get(PAGE))
    for person in (SIGNER, MANAGER, OPERATOR):
        assert password not in (await (await desk.come_in(person)).get(PAGE)).text


async def test_a_member_of_a_group_takes_its_place_on_their_page_and_the_group_is_named(desk: Office) -> None:
    lines = [
        SignerLine(person=person, order=1, role=Role.SIGN, state=SignerState.TURN, team="legal")
        for person in (SIGNER, "customer")
    ]
    desk.views[ID] = make_request_view(signers=tuple(lines))
    text = text_of(await (await desk.come_in(REQUESTER)).get(PAGE))
    assert "Signers · 0 of 1 have signed Chair (legal) asked customer (legal) asked" in text
    ref = re.findall(r"/people/open/([^\"?]+)", (await (await desk.come_in(SIGNER)).get(PAGE)).text)[0]
    assert SigningLinks(PUBLIC, KeyRing([SECRET])).open(ref).use is LinkUse.TAKE


async def test_why_somebody_declined_is_told_to_who_asked_as_the_signer_was_promised(desk: Office) -> None:
    declined = TimelineEntry(at=NOW, happened=EventType.DECLINED, who=SIGNER, why=REASON, said=True)
    line = SignerLine(person=SIGNER, order=1, role=Role.SIGN, state=SignerState.DECLINED, at=NOW, reason=REASON)
    outcome = TimelineEntry(at=NOW, happened=EventType.DECLINED, who="core-signature")
    timeline = (*TIMELINE, declined, outcome)
    desk.views[ID] = make_request_view(
        status=Status.DECLINED, waiting_for=(), next=None, signers=(line,), timeline=timeline
    )
    text = text_of(await (await desk.come_in(REQUESTER)).get(PAGE))
    assert f"Chair declined, with these words: {REASON}" in text
    happened = text.partition("What happened")[2]
    assert happened.count(" declined") == 1, "once, by whoever did, and not as its outcome again"
    assert REASON not in text_of(await (await desk.come_in(SIGNER)).get(PAGE))


@pytest.mark.parametrize("person", [REQUESTER, MANAGER, OPERATOR])
async def test_who_asked_their_managers_and_operators_may_do_everything(desk: Office, person: str) -> None:
    text = text_of(await (await desk.come_in(person)).get(PAGE))
    assert "What happened" in text
    assert "Cancel the request" in text


async def test_a_signer_sees_their_own_and_the_way_to_their_page(desk: Office) -> None:
    chair = await desk.come_in(SIGNER)
    page = await chair.get(PAGE)
    assert "/people/open/" in page.text
    assert "What happened" not in page.text
    assert "Cancel the request" not in page.text
    assert (await chair.get(f"{PAGE}/cancel")).status_code == 404
    form = form_of((await chair.get(PAGE)).text)[1]
    assert (await chair.post(f"{PAGE}/cancel", form | {"text": "no"})).status_code == 404
    assert desk.commands == []


async def test_a_manager_of_a_signer_sees_where_it_stands_and_no_quiet_title(desk: Office) -> None:
    text = desk.people.read_text().replace("Asia/Tokyo}", "Asia/Tokyo, manager: finance-desk}")
    desk.people.write_text(text)
    page = text_of(await (await desk.come_in("finance-desk")).get(PAGE))
    assert "Chair" in page
    assert "Master services agreement" not in page


async def test_a_manager_reminds_and_hands_over_what_waits_for_their_people_and_nothing_else(desk: Office) -> None:
    desk.people.write_text(desk.people.read_text().replace("Asia/Tokyo}", "Asia/Tokyo, manager: finance-desk}"))
    desk.views[ID] = make_request_view(
        signers=(
            *make_request_view().signers,
            SignerLine(person="operator", order=1, role=Role.SIGN, state=SignerState.TURN),
        )
    )
    manager = await desk.come_in(DUTCH)
    page = await manager.get(PAGE)
    assert re.findall(rf'href="/people{PAGE}/([a-z]+)"', page.text) == ["remind", "delegate"]
    assert "What happened" not in page.text
    await manager.press(await manager.get(f"{PAGE}/remind"))
    asking = await manager.get(f"{PAGE}/delegate")
    assert re.findall(r'<option value="([^"]+)"', asking.text) == [SIGNER]
    await manager.press(asking, signer=SIGNER, to="owner")
    commands = [command for _, command, _ in desk.commands]
    assert [(type(command), command.actor) for command in commands if isinstance(command, Command)] == [
        (ReminderCommand, DUTCH),
        (Delegation, DUTCH),
    ]
    refused = await manager.press(asking, signer="operator", to="owner")
    assert (refused.status_code, len(desk.commands)) == (404, 2)
    assert (await manager.get(f"{PAGE}/cancel")).status_code == 404


async def test_for_a_signer_who_left_the_requester_is_proposed_who_could_act(desk: Office) -> None:
    left = Attention(code=AttentionCode.SIGNER_LEFT, since=NOW, says="they left", proposed=("operator",))
    desk.views[ID] = make_request_view(attention=(left,))
    requester = await desk.come_in(REQUESTER)
    assert "Somebody who is to act has left" in (await requester.get(PAGE)).text
    asking = await requester.get(f"{PAGE}/delegate")
    assert '<option value="operator"' in asking.text
    await requester.press(asking, signer=SIGNER, to="operator")
    [(_, command, _)] = desk.commands
    assert isinstance(command, Delegation) and command.to == "operator"


async def test_a_manager_whose_people_have_signed_reminds_nobody_else(desk: Office) -> None:
    """Not by a form that was open meanwhile either: it leads back to where it stands."""
    desk.people.write_text(desk.people.read_text().replace("Asia/Tokyo}", "Asia/Tokyo, manager: finance-desk}"))
    operator_line = SignerLine(person="operator", order=1, role=Role.SIGN, state=SignerState.TURN)
    desk.views[ID] = make_request_view(signers=(*make_request_view().signers, operator_line))
    manager = await desk.come_in(DUTCH)
    forms = [await manager.get(f"{PAGE}/{action}") for action in ("remind", "delegate")]
    desk.views[ID] = make_request_view(
        signers=(make_request_view().signers[0].replace(state=SignerState.SIGNED), operator_line)
    )
    assert "/remind" not in (await manager.get(PAGE)).text
    for form in forms:
        answer = await manager.press(form, signer=SIGNER, to="owner")
        assert (answer.status_code, answer.headers["location"].endswith(PAGE)) == (303, True)
    assert desk.commands == []
    assert (await manager.get(f"{PAGE}/remind")).status_code == 404


async def test_the_signed_document_is_at_the_desk_for_those_whom_it_concerns(desk: Office) -> None:
    stored = SignedFile(await desk.store.files.put(PDF, SIGNED), len(PDF))
    await desk.store.evidence.keep_signed(Kind.REQUEST.workflow_id(ID), SignedDocument(document=stored), NOW)
    notification = Notification(key="k", stage="settled", person=DUTCH, at=NOW)
    desk.views[ID] = make_request_view(
        status=Status.SIGNED,
        waiting_for=(),
        next=None,
        notifications=(notification,),
        signed_document=KeptFile(**stored._asdict()),
    )
    may = {person: await desk.come_in(person) for person in (REQUESTER, SIGNER, OPERATOR, DUTCH)}
    for person, browser in may.items():
        page = await browser.get(PAGE)
        assert f'href="/people{PAGE}/document"' in page.text, person
        assert f"{PAGE}/signing-log" not in page.text
        answer = await browser.get(f"{PAGE}/document")
        assert (answer.status_code, answer.content) == (200, PDF)
        assert (await browser.get(f"{PAGE}/signing-log")).status_code == 404
    noted = await desk.store.downloads.list_downloads(Kind.REQUEST.workflow_id(ID))
    assert {(download.who, download.way) for download in noted} == {(person, Way.DESK) for person in may}

    told_page = text_of(await may[DUTCH].get(PAGE))
    assert "Master services agreement" in told_page
    assert "Wat er is gebeurd" not in told_page
    for person in (MANAGER, "owner"):
        browser = await desk.come_in(person)
        assert f"{PAGE}/document" not in (await browser.get(PAGE)).text
        assert (await browser.get(f"{PAGE}/document")).status_code == 404

    await desk.store.files.remove(stored.sha256, SIGNED)
    page = await may[REQUESTER].get(PAGE)
    assert ("was erased here" in text_of(page), f"{PAGE}/document" in page.text) == (True, False)
    assert (await may[REQUESTER].get(f"{PAGE}/document")).status_code == 410
    assert (await desk.browser().get(f"{PAGE}/document")).status_code == 200, "whoever is not in is asked who they are"


async def test_a_legal_hold_is_in_the_timeline_of_operators_alone(desk: Office) -> None:
    await desk.store.holds.place_hold(Kind.REQUEST.workflow_id(ID), "matter 7", "owner", NOW)
    desk.views[ID] = make_request_view()
    pages = {person: text_of(await (await desk.come_in(person)).get(PAGE)) for person in (OPERATOR, REQUESTER)}
    assert {person: ("legal hold" in page, "matter 7" in page) for person, page in pages.items()} == {
        OPERATOR: (True, True),
        REQUESTER: (False, False),
    }


async def test_what_is_somebody_else_s_and_what_does_not_exist_look_alike(desk: Office) -> None:
    stranger = await desk.come_in("finance-desk")
    pages = [await stranger.get(path) for path in (PAGE, "/desk/requests/nothing", "/desk/requests/..%2f..%2fx")]
    assert {page.status_code for page in pages} == {404}
    assert text_of(pages[0]) == text_of(pages[1])


@pytest.mark.parametrize(
    ("action", "fields", "command"),
    [
        (Action.REMIND, {"force": "1"}, ReminderCommand(actor=REQUESTER, force=True)),
        (Action.EXTEND, {"due": "2026-12-24"}, Extension(actor=REQUESTER, due=date(2026, 12, 24))),
        (
            Action.DELEGATE,
            {"signer": SIGNER, "to": "head@example.test"},
            Delegation(actor=REQUESTER, signer=SIGNER, to=MANAGER),
        ),
        (Action.PAUSE, {"text": "until they are back"}, PauseCommand(actor=REQUESTER, reason="until they are back")),
        (Action.CANCEL, {"text": "no longer needed"}, Cancellation(actor=REQUESTER, reason="no longer needed")),
    ],
)
async def test_each_action_is_asked_for_again_and_then_done_once(
    desk: Office, action: Action, fields: dict[str, str], command: Command
) -> None:
    legal = await desk.come_in(REQUESTER)
    assert f"{PAGE}/{action}" in (await legal.get(PAGE)).text
    asking = await legal.get(f"{PAGE}/{action}")
    assert desk.commands == []
    answers = [await legal.press(asking, **fields) for _ in range(2)]
    assert {inside(answer) for answer in answers} == {f"/people{PAGE}?done={action}"}
    assert {op for _, _, op in desk.commands} == {desk.commands[0][2]}
    assert desk.commands[0][1] == command.replace(op=desk.commands[0][2])
    assert 'role="status"' in (await legal.get(f"{PAGE}?done={action}")).text


async def test_a_question_is_answered_and_a_pause_ended(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    desk.views[ID] = make_request_view(question=AskedQuestion(number=1, person=SIGNER, text="Which annex?", at=NOW))
    assert "Which annex? Answer Not answered yet." in text_of(await legal.get(PAGE))
    await legal.press(await legal.get(f"{PAGE}/answer"), text="Annex B.")
    desk.views[ID] = make_request_view(attention=(Attention(code=AttentionCode.PAUSED, since=NOW, says="paused"),))
    await legal.press(await legal.get(f"{PAGE}/resume"))
    assert [type(command) for _, command, _ in desk.commands] == [Answer, Resumption]


async def test_what_the_request_refuses_is_said_and_what_was_written_stays(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    desk.answer = CommandRefused(Rejection.NO_REASON.to_message())
    page = await legal.press(await legal.get(f"{PAGE}/cancel"), text="  because  ")
    assert page.status_code == 409
    assert "This was not done: a reason is needed." in text_of(page)
    assert "because" in page.text


@pytest.mark.parametrize(
    ("action", "fields", "message"),
    [
        (Action.EXTEND, {"due": "soon"}, "a date such as 2026-12-11 is needed"),
        (Action.DELEGATE, {"signer": SIGNER, "to": "legal"}, "several people have this name: choose one of them"),
        (Action.DELEGATE, {"signer": SIGNER, "to": "stranger"}, "nobody in the directory has this name, id or address"),
    ],
)
async def test_nonsense_in_a_form_reaches_nobody(
    desk: Office, action: Action, fields: dict[str, str], message: str
) -> None:
    legal = await desk.come_in(REQUESTER)
    page = await legal.press(await legal.get(f"{PAGE}/{action}"), **fields)
    assert (page.status_code, desk.commands) == (409, [])
    assert message in text_of(page)


async def test_who_asks_or_is_asked_already_is_not_among_those_to_choose_from(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    page = await legal.press(await legal.get(f"{PAGE}/delegate"), signer=SIGNER, to="legal")
    offered = re.findall(r'<option value="([^"]+)"', page.text.partition("<datalist")[2])
    assert offered and REQUESTER not in offered and SIGNER not in offered


async def test_what_nobody_confirmed_is_sent_again_as_the_same_change(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    desk.answer = NotConfirmed("x")
    page = await legal.press(await legal.get(f"{PAGE}/pause"), text="a while")
    assert (page.status_code, "done only once" in text_of(page)) == (503, True)
    await legal.press(page, text="a while")
    assert desk.commands[0][2] == desk.commands[1][2]


async def test_what_came_too_late_or_is_under_way_is_said(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    desk.answer = NotRunning(ID)
    late = await legal.press(await legal.get(f"{PAGE}/cancel"), text="x")
    assert "too late" in text_of(await legal.get(inside(late)))
    desk.answer = Receipt(id=ID, status=Status.SENT, op="x", says="", state=OperationState.OPEN)
    open_ = await legal.press(await legal.get(f"{PAGE}/cancel"), text="y")
    assert "as soon as possible" in text_of(await legal.get(inside(open_)))


async def test_a_form_of_another_session_changes_nothing(desk: Office) -> None:
    legal, head = await desk.come_in(REQUESTER), await desk.come_in(MANAGER)
    foreign = form_of((await head.get(f"{PAGE}/cancel")).text)[1]
    assert (await legal.post(f"{PAGE}/cancel", foreign | {"text": "x"})).status_code == 403
    assert desk.commands == []


async def test_how_many_have_signed_is_said_in_the_reader_s_language(desk: Office) -> None:
    desk.views[ID] = make_request_view(requester=DUTCH)
    text = text_of(await (await desk.come_in(DUTCH)).get(PAGE))
    assert ("0 van 2 hebben ondertekend" in text, "have signed" in text) == (True, False)


async def test_what_has_ended_can_only_be_read_and_says_who_was_told(desk: Office) -> None:
    handoffs = (HandoffLine(target="finance", state=HandoffState.DEAD, attempts=9, at=NOW),)
    desk.views[ID] = make_request_view(status=Status.SIGNED, waiting_for=(), next=None, handoffs=handoffs)
    legal = await desk.come_in(REQUESTER)
    page = await legal.get(PAGE)
    assert "finance could not be told" in text_of(page)
    assert "Cancel the request" not in page.text
    assert inside(await legal.get(f"{PAGE}/cancel")) == f"/people{PAGE}"


async def test_the_company_stands_above_every_page_before_and_after_coming_in(tmp_path: Path) -> None:
    brand = Brand("Acme & Sons", Logo(b"<svg", "image/svg+xml"), "help@acme.test")
    async with office(tmp_path, brand=brand) as desk:
        desk.views[ID] = make_request_view()
        legal = await desk.come_in(REQUESTER)
        pages = [await desk.browser().get("/"), *[await legal.get(path) for path in (PAGE, f"{PAGE}/cancel")]]
        for page in pages:
            assert '<img src="/people/company-logo" alt="">' in page.text
            assert "Acme &amp; Sons</title>" in page.text
            assert 'Questions? <a href="mailto:help@acme.test">' in page.text
            assert "Countersign" not in text_of(page)


async def test_while_temporal_is_away_the_page_says_so(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    desk.failure = RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")
    for path in (PAGE, f"{PAGE}/cancel"):
        assert (await legal.get(path)).status_code == 503


async def test_who_was_asked_to_come_in_lands_where_they_wanted_to_go(desk: Office) -> None:
    laptop = desk.browser()
    code_page = await laptop.press(await laptop.get(PAGE), who=REQUESTER)
    entered = await laptop.press(await laptop.get(inside(code_page)), code=desk.code())
    assert inside(entered) == f"/people{PAGE}"


async def test_what_really_follows_is_told_and_to_whom(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    for step, phrase in (
        (NextStep.QUESTION, "Legal Desk will be told again on Fri, 27 Nov 2026, 15:00 (Amsterdam)"),
        (NextStep.HELD, "You will hear of it on Fri, 27 Nov 2026, 15:00"),
    ):
        desk.views[ID] = make_request_view(
            next=NextAction(what=step, at=NOW + timedelta(days=1), why="x", to=REQUESTER)
        )
        text = text_of(await legal.get(PAGE))
        assert phrase in text
        assert "A reminder follows" not in text
    question = AskedQuestion(number=1, person=SIGNER, text="Which annex?", at=NOW)
    waits = NextAction(what=NextStep.WAIT, at=NOW + timedelta(days=1), why="question 1 of chair waits")
    desk.views[ID] = make_request_view(next=waits, question=question)
    assert "Reminders wait until Fri, 27 Nov 2026, 15:00 (Amsterdam) for the answer" in text_of(await legal.get(PAGE))


async def test_who_hears_of_the_ending_has_a_name_and_an_onboarding_is_called_one(desk: Office) -> None:
    handoffs = [
        HandoffLine(target=target, state=HandoffState.DONE, attempts=1, at=NOW)
        for target in (MANAGER, "customer-onboarding:acme", "crm")
    ]
    desk.views[ID] = make_request_view(status=Status.SIGNED, waiting_for=(), next=None, handoffs=tuple(handoffs))
    text = text_of(await (await desk.come_in(REQUESTER)).get(PAGE))
    assert "Told of the ending Head of Legal told Onboarding acme told crm told" in text
    assert MANAGER not in text


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_a_document_and_a_signer_have_words_of_their_own(code: str) -> None:
    language = Language.from_tag(code)
    for status, state in ((Status.SIGNED, SignerState.SIGNED), (Status.DECLINED, SignerState.DECLINED)):
        assert status_chip(status, language).text != chip_of(StateOwner.PERSON, state, language).text


def test_to_answer_is_no_noun() -> None:
    assert "Answer" not in {spec_of(action, kind).label for action in ACTIONS for kind in kinds()}


async def test_each_page_has_an_icon_of_ours(desk: Office) -> None:
    page = await (await desk.come_in(REQUESTER)).get(PAGE)
    assert '<link rel="icon" href="/people/icon.svg">' in page.text
