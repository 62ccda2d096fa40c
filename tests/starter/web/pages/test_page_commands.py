"""What a page offers beside signing, and what its forms have the request take: once each, and as theirs."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from temporalio.service import RPCError, RPCStatusCode

from activities.notifications.links import LinkUse
from activities.people.directory import COLLEAGUES_AT_MOST
from starter.queries.commands import CommandRefused, NotAdmitted, NotConfirmed, NotRunning
from starter.temporal.connection import TemporalRefusal
from starter.web.acting.actions import Action
from tests.starter.web.paging import (
    CHAIR,
    DUTCH,
    FIRST,
    NOW,
    PEOPLE,
    REQUEST,
    SECOND,
    Phone,
    form_of,
    option_of,
    phone,
    text_of,
    values_of,
)
from workflows.model.commands import Answer, Delegation, Question, SnoozeCommand, Take
from workflows.model.notifications import Channel, Notification, NotificationOutcome
from workflows.model.receipts import OperationState
from workflows.model.rejections import Rejection
from workflows.model.schedule import EscalationReason
from workflows.model.signature import DocumentVersion, SignerState
from workflows.model.subject import Role, Status
from workflows.model.timeline import AskedQuestion, EscalationEntry, EventType, TimelineEntry
from workflows.model.views import Choices, RequestShow, ReviewLine, SignerLine, WaitingFor

REQUESTER, DEPUTY = "legal-desk", "customer-deputy"
EVENING, MORNING = "2026-11-26T23:00:00+00:00", "2026-11-27T14:00:00+00:00"
"""18:00 and 09:00 in New York."""
OPTIONS = (Action.LATER, Action.DELEGATE, Action.ASK, Action.ANSWER)


def choices(person: str = FIRST, **changes: Any) -> Choices:
    """Everything that may be chosen, unless changed."""
    latest = datetime(2026, 12, 9, 14, 0, tzinfo=UTC)
    all_choices = Choices(person=person, snoozes_left=2, snooze_until=latest, hand_over=True, ask=True)
    return all_choices.replace(**changes)


def question(text: str = "Which annex?", answer: str | None = None, number: int = 1) -> AskedQuestion:
    return AskedQuestion(number=number, person=FIRST, text=text, at=NOW, answer=answer)


def make_view(*offered: Choices, **changes: Any) -> RequestShow:
    """The request as its workflow knows it: whoever may choose something is one of its signers, as `FIRST` is."""
    people = dict.fromkeys((FIRST, *(choice.person for choice in offered)))
    signers = tuple(SignerLine(person=person, order=1, role=Role.SIGN, state=SignerState.TURN) for person in people)
    view = RequestShow(id=REQUEST, kind="nda", status=Status.SENT, requester=REQUESTER, signers=signers, says="x")
    return view.replace(choices=offered, **changes)


@pytest.fixture
async def signer(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone(tmp_path) as opened_phone:
        await opened_phone.create()
        opened_phone.views[REQUEST] = make_view(choices())
        yield opened_phone


async def list_offered_actions(signer: Phone, path: str) -> list[Action]:
    page = (await signer.open(path)).text
    return [act for act in OPTIONS if option_of(page, act)]


async def test_beside_signing_there_is_not_now_handing_over_and_a_question(signer: Phone) -> None:
    page = (await signer.open(signer.link())).text
    assert await list_offered_actions(signer, signer.link()) == [Action.LATER, Action.DELEGATE, Action.ASK]
    assert values_of(page, Action.LATER) == [EVENING, MORNING]
    text = text_of(page)
    assert "This evening Thu, 26 Nov 2026, 18:00 (New York)" in text
    assert "You can put it off 2 more times." in text
    assert "Hand over to Customer Deputy" in text
    assert form_of(page)["act"] == Action.SIGN


async def test_the_snooze_button_sends_its_time(signer: Phone) -> None:
    answer = await signer.post_option(signer.link(), Action.LATER, EVENING)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{signer.link().rpartition('/')[2]}?done=later")
    [(command, op)] = signer.recorder.commands
    assert command == SnoozeCommand(person=FIRST, until=datetime.fromisoformat(EVENING))
    assert op.startswith("page-")


async def test_handing_over_is_a_command_of_the_signer(signer: Phone) -> None:
    await signer.post_option(signer.link(), Action.DELEGATE)
    assert [command for command, _ in signer.recorder.commands] == [Delegation(actor=FIRST, signer=FIRST, to=DEPUTY)]


@pytest.mark.parametrize(
    "email", ["ceo@example.test", "Legal@Example.test", "sender@example.test"], ids=["signer", "requester", "sender"]
)
async def test_whom_core_signature_would_refuse_is_not_offered(signer: Phone, email: str) -> None:
    signer.people.write_text(PEOPLE.replace("deputy@acme.test", email))
    signer.views[REQUEST] = make_view(choices(), choices(SECOND))
    page = (await signer.open(signer.link())).text
    assert "Customer Deputy" not in text_of(page)
    form = {"act": "delegate", "value": DEPUTY, "token": form_of(page)["token"]}
    assert (await signer.post(signer.link(), form)).status_code == 409
    assert signer.recorder.commands == []


async def test_a_refusal_that_comes_later_stays_on_the_page_with_its_reason(signer: Phone) -> None:
    refusal = Rejection.REFUSED_THERE.to_message(says="This address already is a signer of the document.")
    refused = TimelineEntry(
        at=NOW, happened=EventType.NOT_HANDED_OVER, who=FIRST, refusal=refusal, about=DEPUTY, by=FIRST
    )
    signer.views[REQUEST] = make_view(choices(), timeline=(refused,))
    for _ in range(2):
        page = (await signer.open(signer.link())).text
        assert f"This was not done: {refusal.english}" in text_of(page) and 'role="alert"' in page
    later = TimelineEntry(at=NOW, happened=EventType.HAND_OVER_ASKED, who=FIRST)
    signer.views[REQUEST] = make_view(choices(), timeline=(refused, later))
    assert "This was not done" not in (await signer.open(signer.link())).text


async def test_a_question_arrives_as_it_was_written(signer: Phone) -> None:
    await signer.post_option(signer.link(), Action.ASK, text="Which annex?\r\nاذهب 🖋️\u202e\x07")
    assert [command for command, _ in signer.recorder.commands] == [Question(person=FIRST, text="Which annex?\nاذهب 🖋️")]


async def test_the_longest_question_fits_into_a_form(signer: Phone) -> None:
    await signer.post_option(signer.link(), Action.ASK, text="🖋" * 1_000)
    assert [command for command, _ in signer.recorder.commands] == [Question(person=FIRST, text="🖋" * 1_000)]


async def test_a_form_that_is_posted_again_is_the_same_command(signer: Phone) -> None:
    form = option_of((await signer.open(signer.link())).text, Action.LATER)
    await asyncio.gather(*(signer.post(signer.link(), form) for _ in range(3)))
    assert len({op for _, op in signer.recorder.commands}) == 1
    await signer.post(signer.link(), form | {"value": EVENING})
    await signer.post_option(signer.link(), Action.LATER)
    assert len({op for _, op in signer.recorder.commands}) == 3


async def test_the_name_of_a_command_gives_neither_the_link_nor_the_form_away(signer: Phone) -> None:
    form = option_of((await signer.open(signer.link())).text, Action.ASK) | {"text": "Which annex?"}
    await signer.post(signer.link(), form)
    [(_, op)] = signer.recorder.commands
    assert not {form["token"], signer.link().rpartition("/")[2], FIRST} & {op}
    assert len(op) == len("page-") + 22


@pytest.mark.parametrize(
    ("changes", "actions"),
    [
        ({"snoozes_left": 0}, [Action.DELEGATE, Action.ASK]),
        ({"snooze_until": NOW}, [Action.DELEGATE, Action.ASK]),
        ({"hand_over": False}, [Action.LATER, Action.ASK]),
        ({"ask": False}, [Action.LATER, Action.DELEGATE]),
        ({"person": SECOND}, []),
    ],
)
async def test_only_what_request_and_policy_allow_is_offered(
    signer: Phone, changes: dict[str, Any], actions: list[Action]
) -> None:
    signer.views[REQUEST] = make_view(choices(**changes))
    assert await list_offered_actions(signer, signer.link()) == actions


@pytest.mark.parametrize("concerned", ["requester", "signers"])
async def test_a_delegate_who_cannot_sign_is_not_offered(signer: Phone, concerned: str) -> None:
    deputy = SignerLine(person=DEPUTY, order=2, role=Role.SIGN, state=SignerState.WAITING)
    view = make_view(choices())
    signer.views[REQUEST] = view.replace(
        **({"requester": DEPUTY} if concerned == "requester" else {"signers": (*view.signers, deputy)})
    )
    assert await list_offered_actions(signer, signer.link()) == [Action.LATER, Action.ASK]


async def test_who_has_no_delegate_hands_nothing_over(signer: Phone) -> None:
    await signer.act("customer@acme.test", "sign")
    signer.views[REQUEST] = make_view(choices(SECOND))
    assert await list_offered_actions(signer, signer.link(SECOND)) == [Action.LATER, Action.ASK]


async def test_who_has_just_signed_is_offered_nothing_more(signer: Phone) -> None:
    await signer.act("customer@acme.test", "sign")
    page = (await signer.press(signer.link())).text
    assert "You have signed" in text_of(page)
    assert [act for act in OPTIONS if option_of(page, act)] == []


@pytest.mark.parametrize("nobody", [None, make_view(partial=True)])
async def test_while_nobody_answers_for_the_request_there_is_only_signing(
    signer: Phone, nobody: RequestShow | None
) -> None:
    forms = {act: option_of((await signer.open(signer.link())).text, act) for act in OPTIONS[:3]}
    signer.views.clear()
    if nobody:
        signer.views[REQUEST] = nobody
    assert await list_offered_actions(signer, signer.link()) == []
    assert (await signer.press(signer.link())).headers["location"].startswith(signer.sandbox.url)
    for form in forms.values():
        answer = await signer.post(signer.link(), form | {"text": "Which annex?"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        assert "Your request was not carried out." in text_of(answer.text)
    assert signer.recorder.commands == []


@pytest.mark.parametrize(
    ("act", "value", "status"),
    [(Action.LATER, "soon", 409), (Action.LATER, "2026-11-26T23:00:00", 409),
     (Action.LATER, "9999-12-31T23:50Z", 409),
     ("sing", "", 303)],
)  # fmt: skip
async def test_what_was_not_on_offer_changes_nothing(signer: Phone, act: str, value: str, status: int) -> None:
    form = option_of((await signer.open(signer.link())).text, Action.ASK)
    answer = await signer.post(signer.link(), form | {"act": act, "value": value})
    assert (answer.status_code, signer.recorder.commands) == (status, [])
    assert ("This was not done: it cannot be put off until then any more." in text_of(answer.text)) is (status == 409)


@pytest.mark.parametrize(
    ("value", "changes"),
    [(CHAIR, {}), (DEPUTY, {"requester": DEPUTY}), (DEPUTY, {"choices": (choices(hand_over=False),)})],
)
async def test_a_place_is_handed_over_to_nobody_but_the_delegate_and_the_page_says_so(
    signer: Phone, value: str, changes: dict[str, Any]
) -> None:
    form = option_of((await signer.open(signer.link())).text, Action.DELEGATE)
    signer.views[REQUEST] = signer.views[REQUEST].replace(**changes)
    answer = await signer.post(signer.link(), form | {"value": value})
    assert (answer.status_code, signer.recorder.commands) == (409, [])
    assert "This was not done: it cannot be handed over to this person any more." in text_of(answer.text)


async def test_what_is_not_on_offer_any_more_is_for_the_request_to_judge(signer: Phone) -> None:
    page = (await signer.open(signer.link())).text
    signer.views[REQUEST] = make_view(choices(ask=False, snoozes_left=0))
    signer.recorder.failure = CommandRefused(Rejection.QUESTION_OPEN.to_message())
    for act in (Action.ASK, Action.LATER):
        answer = await signer.post(signer.link(), option_of(page, act) | {"text": "Which annex?"})
        assert "This was not done: a question is open already." in text_of(answer.text)


@pytest.mark.parametrize("changes", [{"token": "x.y"}, {"token": ""}])
async def test_a_command_from_elsewhere_is_refused(signer: Phone, changes: dict[str, str]) -> None:
    form = option_of((await signer.open(signer.link())).text, Action.LATER)
    assert (await signer.post(signer.link(), form | changes)).status_code == 403
    assert (await signer.post(signer.link(SECOND), form)).status_code == 403
    foreign = await signer.browser.post(signer.link(), data=form, headers={"sec-fetch-site": "cross-site"})
    assert (foreign.status_code, signer.recorder.commands) == (403, [])


async def test_a_refusal_stands_on_the_page_with_everything_that_is_possible(signer: Phone) -> None:
    signer.recorder.failure = CommandRefused(Rejection.AFTER_WARNING.to_message())
    answer = await signer.post_option(signer.link(), Action.LATER, EVENING)
    assert answer.status_code == 409
    assert "This was not done: that is after the last warning." in text_of(answer.text)
    assert option_of(answer.text, Action.ASK) != {}
    assert form_of(answer.text)["act"] == Action.SIGN


async def test_what_was_written_stays_where_it_was_refused(signer: Phone) -> None:
    signer.recorder.failure = CommandRefused(Rejection.QUESTION_OPEN.to_message())
    answer = await signer.post_option(signer.link(), Action.ASK, text="\n<b>Which</b> annex?\r\nاذهب")
    assert ">\n\n&lt;b&gt;Which&lt;/b&gt; annex?\nاذهب</textarea>" in answer.text
    assert answer.text.count("<details open>") == answer.text.count("<textarea") == 1


async def test_a_refusal_is_said_in_the_readers_language(signer: Phone) -> None:
    await signer.forward("customer@acme.test", "finance@example.test")
    signer.views[REQUEST] = make_view(choices(DUTCH))
    signer.recorder.failure = CommandRefused(Rejection.QUESTION_OPEN.to_message())
    answer = await signer.post_option(signer.link(DUTCH), Action.ASK, text="Welke bijlage?")
    assert "Dit is niet gedaan: er staat al een vraag open." in text_of(answer.text)


async def test_what_nobody_confirmed_is_uncertain_and_sent_again_it_is_the_same_command(signer: Phone) -> None:
    signer.recorder.failure = NotConfirmed("page-x")
    form = option_of((await signer.open(signer.link())).text, Action.ASK) | {"text": "Which annex?"}
    answer = await signer.post(signer.link(), form)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert "We could not confirm this yet" in text_of(answer.text)
    repeated_form = option_of(answer.text, Action.ASK) | {"text": "Which annex?"}
    assert (repeated_form, "Which annex?</textarea>" in answer.text) == (form, True)


async def test_a_place_that_is_not_handed_over_yet_is_said_to_be_under_way(signer: Phone) -> None:
    signer.recorder.state = OperationState.OPEN
    answer = await signer.post_option(signer.link(), Action.DELEGATE)
    assert answer.status_code == 202
    assert "Received" in text_of(answer.text)
    assert "handed over" not in text_of(answer.text)
    assert '<a class="again" href="">Look again</a>' in answer.text


async def test_a_recorded_form_whose_result_is_not_known_yet_is_said_to_be_received(signer: Phone) -> None:
    link = signer.link(CHAIR, LinkUse.REVIEW)
    [review] = [ReviewLine(person=CHAIR, order=1, role=Role.REVIEW, state=SignerState.TURN, round=1)]
    versions = (DocumentVersion(number=1, sha256="ab" * 32, size=9, at=NOW, by=REQUESTER),)
    waiting = (WaitingFor(person=CHAIR, since=NOW),)
    review_view = make_view(
        choices(CHAIR), reviews=(review,), versions=versions, waiting_for=waiting, status=Status.REVIEW
    )
    signer.views[REQUEST] = review_view
    answer = await signer.post_option(link, Action.APPROVE)
    assert answer.headers["location"].endswith("?done=approve")
    signer.views[REQUEST] = make_view(partial=True)
    with capture_logs() as logs:
        page = await signer.open(f"{link}?done=approve")
    assert (page.status_code, "Received" in text_of(page.text)) == (202, True)
    assert "Please try again in a minute" not in page.text
    assert [entry["act"] for entry in logs if "received" in entry["event"]] == ["approve"]
    signing = text_of((await signer.open(f"{signer.link()}?done=ask")).text)
    assert "We have your request. It will be carried out as soon as possible." in signing


async def test_a_form_that_was_not_sent_is_logged(signer: Phone) -> None:
    form = option_of((await signer.open(signer.link())).text, Action.ASK) | {"text": "Which annex?"}
    signer.views[REQUEST] = make_view(partial=True)
    with capture_logs() as logs:
        answer = await signer.post(signer.link(), form)
    assert answer.status_code == 503
    assert [entry["request"] for entry in logs if "not sent" in entry["event"]] == [REQUEST]


async def test_a_command_that_was_not_admitted_was_not_done(signer: Phone) -> None:
    signer.recorder.failure = NotAdmitted("too many changes wait")
    answer = await signer.post_option(signer.link(), Action.ASK, text="Which annex?")
    assert (answer.status_code, "Which annex?</textarea>" in answer.text) == (503, True)
    assert "Your request was not carried out." in text_of(answer.text)


async def test_a_command_that_temporal_does_not_take_was_not_done_and_the_page_knows_no_more(signer: Phone) -> None:
    signer.recorder.failure = TemporalRefusal(RPCError("canary", RPCStatusCode.PERMISSION_DENIED, b""), "default")
    answer = await signer.post_option(signer.link(), Action.ASK, text="Which annex?")
    assert (answer.status_code, "canary" in answer.text) == (503, False)
    assert "Your request was not carried out." in text_of(answer.text)
    assert "Which annex?</textarea>" in answer.text


async def test_a_command_for_what_has_just_ended_leads_to_the_page_as_it_is(signer: Phone) -> None:
    signer.recorder.failure = NotRunning("too late")
    assert (await signer.post_option(signer.link(), Action.LATER)).status_code == 303


async def test_the_page_says_when_one_is_reminded_and_what_one_asked(signer: Phone) -> None:
    snoozed = choices(snoozes_left=1, reminded_at=datetime.fromisoformat(MORNING), ask=False)
    signer.views[REQUEST] = make_view(
        snoozed, question=question("And when?", number=2), answered=(question(answer="B."),)
    )
    text = text_of((await signer.open(signer.link())).text)
    assert "You will be reminded on Fri, 27 Nov 2026, 09:00 (New York)." in text
    assert "You can put it off 1 more time." in text
    assert "You Which annex? Answer B." in text
    assert "You And when? Answer Not answered yet." in text


async def test_a_question_of_somebody_else_is_not_theirs_to_read(signer: Phone) -> None:
    await signer.act("customer@acme.test", "sign")
    signer.views[REQUEST] = make_view(choices(SECOND, ask=False), question=question())
    assert "Which annex?" not in (await signer.open(signer.link(SECOND))).text
    assert "Which annex?" not in (await signer.open(signer.link(CHAIR, LinkUse.VIEW))).text


async def test_the_requester_reads_the_question_and_answers_it(signer: Phone) -> None:
    signer.views[REQUEST] = make_view(question=question("<b>Which</b> annex?"))
    path = signer.link(REQUESTER, LinkUse.VIEW)
    page = (await signer.open(path)).text
    assert "&lt;b&gt;Which&lt;/b&gt; annex?" in page
    assert "<details open>" in page
    answer = await signer.post_option(path, Action.ANSWER, text="Annex B.")
    assert answer.status_code == 303
    assert [command for command, _ in signer.recorder.commands] == [Answer(actor=REQUESTER, text="Annex B.")]


async def test_whoever_was_told_that_a_question_is_unanswered_may_answer_it(signer: Phone) -> None:
    notification = Notification(
        key="k",
        stage="unanswered-1.2",
        person=CHAIR,
        channel=Channel.PUSH,
        outcome=NotificationOutcome.ACCEPTED,
        at=NOW,
    )
    signer.views[REQUEST] = make_view(question=question(), notifications=(notification,))
    page = (await signer.open(signer.link(CHAIR, LinkUse.VIEW))).text
    assert "Which annex?" in page and "Send the answer" in page


async def test_an_answer_is_for_the_question_that_stood_above_it(signer: Phone) -> None:
    signer.views[REQUEST] = make_view(question=question())
    path = signer.link(REQUESTER, LinkUse.VIEW)
    form = option_of((await signer.open(path)).text, Action.ANSWER)
    signer.views[REQUEST] = make_view(question=question("And when?", number=2))
    answer = await signer.post(path, form | {"text": "Annex B."})
    assert (answer.status_code, signer.recorder.commands) == (303, [])


async def test_only_the_requester_answers(signer: Phone) -> None:
    signer.views[REQUEST] = make_view(choices(ask=False), question=question())
    for path in (signer.link(CHAIR, LinkUse.VIEW), signer.link(FIRST, LinkUse.VIEW)):
        assert await list_offered_actions(signer, path) == []
    form = option_of((await signer.open(signer.link())).text, Action.LATER)
    await signer.post(signer.link(), form | {"act": Action.ANSWER, "value": "1", "text": "Annex B."})
    assert signer.recorder.commands == []


@pytest.fixture
async def sales(signer: Phone) -> Phone:
    """A request for which a group asks: `REQUESTER` and `CHAIR` are of it."""
    text = signer.people.read_text()
    for person in (REQUESTER, CHAIR):
        text = text.replace(f"id: {person},", f"id: {person}, groups: [sales],")
    signer.people.write_text(text)
    signer.views[REQUEST] = make_view(choices(), requester="group:sales")
    return signer


async def test_one_of_the_group_that_asks_takes_it_on_and_the_others_read_who(sales: Phone) -> None:
    path = sales.link(REQUESTER, LinkUse.VIEW)
    answer = await sales.post_option(path, Action.TAKE)
    assert [command for command, _ in sales.recorder.commands] == [Take(actor=REQUESTER, person=REQUESTER)]
    sales.views[REQUEST] = make_view(choices(), requester="group:sales", taken_by=REQUESTER)
    page = (await sales.open(f"/open/{answer.headers['location']}")).text
    assert "You see to it now." in text_of(page) and not option_of(page, Action.TAKE)
    other_link = sales.link(CHAIR, LinkUse.VIEW)
    page = (await sales.open(other_link)).text
    assert "Legal desk sees to it." in text_of(page).replace("\u2068", "").replace("\u2069", "")
    await sales.post(other_link, option_of(page, Action.TAKE))
    assert sales.recorder.commands[1][0] == Take(actor=CHAIR, person=CHAIR), "they know that they take it over"
    assert "sees to it" not in (await sales.open(sales.link(FIRST))).text


async def test_of_two_who_take_it_on_at_once_the_first_has_it(sales: Phone) -> None:
    paths = [sales.link(person, LinkUse.VIEW) for person in (REQUESTER, CHAIR)]
    forms = [option_of((await sales.open(path)).text, Action.TAKE) for path in paths]
    await sales.post(paths[0], forms[0])
    sales.views[REQUEST] = make_view(choices(), requester="group:sales", taken_by=REQUESTER)
    late = await sales.post(paths[1], forms[1])
    assert (late.status_code, len(sales.recorder.commands)) == (409, 1)
    assert "This was not done: another of you has just taken it on." in text_of(late.text)
    assert (await sales.post(paths[0], forms[0])).status_code == 303, "sent twice it is taken once"
    assert len(sales.recorder.commands) == 1


@pytest.mark.parametrize(
    ("person", "use", "changes"),
    [
        (FIRST, LinkUse.SIGN, {}),
        (CHAIR, LinkUse.PREVIEW, {}),
        (DUTCH, LinkUse.VIEW, {}),
        (REQUESTER, LinkUse.VIEW, {"requester": REQUESTER}),
        (REQUESTER, LinkUse.VIEW, {"notify_all": True}),
        (REQUESTER, LinkUse.VIEW, {"status": Status.SIGNED}),
        (REQUESTER, LinkUse.VIEW, {"partial": True}),
        (REQUESTER, LinkUse.VIEW, {"taken_by": REQUESTER}),
    ],
)
async def test_nobody_else_takes_it_on_and_nothing_that_is_nobodys_alone(
    sales: Phone, person: str, use: LinkUse, changes: dict[str, Any]
) -> None:
    path = sales.link(REQUESTER, LinkUse.VIEW)
    form = option_of((await sales.open(path)).text, Action.TAKE)
    sales.views[REQUEST] = make_view(choices(), **{"requester": "group:sales", **changes})
    page = (await sales.open(sales.link(person, use))).text
    assert not option_of(page, Action.TAKE)
    await sales.post(sales.link(person, use), form)
    assert sales.recorder.commands == []


async def test_one_of_the_group_that_asks_answers_a_question(sales: Phone) -> None:
    sales.views[REQUEST] = make_view(requester="group:sales", question=question())
    path = sales.link(REQUESTER, LinkUse.VIEW)
    assert await list_offered_actions(sales, path) == [Action.ANSWER]
    assert option_of((await sales.open(path)).text, Action.TAKE)
    await sales.post_option(path, Action.ANSWER, text="Annex B.")
    assert [command for command, _ in sales.recorder.commands] == [Answer(actor=REQUESTER, text="Annex B.")]


async def test_a_forwarded_signer_may_send_commands_as_well(signer: Phone) -> None:
    await signer.forward("customer@acme.test", "chair@example.test")
    signer.views[REQUEST] = make_view(choices(CHAIR))
    pressed = await signer.press(signer.link(CHAIR))
    assert "Check your email" in text_of(pressed.text)
    assert option_of(pressed.text, Action.ASK) != {}
    assert await list_offered_actions(signer, signer.link(CHAIR)) == [Action.LATER, Action.ASK]


async def test_a_question_that_went_with_the_place_is_read_by_both_who_wait_for_its_answer(signer: Phone) -> None:
    handed = SignerLine(person=FIRST, order=1, role=Role.SIGN, state=SignerState.REASSIGNED)
    theirs = SignerLine(person=SECOND, order=1, role=Role.SIGN, state=SignerState.TURN)
    view = make_view(choices(SECOND, ask=False), signers=(handed, theirs))
    signer.views[REQUEST] = view.replace(question=question().replace(to=SECOND))
    text_before = text_of((await signer.open(signer.link())).text)
    assert "Your question went with it. We will tell you when it is answered." in text_before
    assert "Customer Which annex? Answer Not answered yet." in text_of((await signer.open(signer.link(SECOND))).text)
    signer.views[REQUEST] = view.replace(answered=(question(answer="B.").replace(to=SECOND),))
    for path in (signer.link(), signer.link(use=LinkUse.VIEW)):
        text = text_of((await signer.open(path)).text)
        assert "You Which annex? Answer B." in text and "went with it" not in text


def add_colleagues(signer: Phone, extra_count: int = 0) -> None:
    """The second signer has no delegate, works with the chair and with so many more, and not with customers."""
    department = "zone: Europe/Amsterdam, department: Management}"
    entries = signer.people.read_text()
    entries = entries.replace("ceo@example.test, zone: Europe/Amsterdam}", f"ceo@example.test, {department}")
    entries = entries.replace("Asia/Tokyo}", "Asia/Tokyo, groups: [board], department: Management}")
    for n in range(extra_count):
        entries += f"  - {{id: board-{n}, name: Director {n}, email: d{n}@example.test, {department}\n"
    signer.people.write_text(entries)


async def test_where_the_directory_names_no_delegate_a_colleague_is_chosen_by_name(signer: Phone) -> None:
    add_colleagues(signer)
    await signer.act("customer@acme.test", "sign")
    signer.views[REQUEST] = make_view(choices(SECOND))
    page = (await signer.open(signer.link(SECOND))).text
    assert values_of(page, Action.DELEGATE) == [CHAIR]
    assert "Hand over to Chair" in text_of(page) and "Customer Deputy" not in page
    await signer.post_option(signer.link(SECOND), Action.DELEGATE, CHAIR)
    assert [command for command, _ in signer.recorder.commands] == [Delegation(actor=SECOND, signer=SECOND, to=CHAIR)]
    refused = await signer.post_option(signer.link(SECOND), Action.DELEGATE, DEPUTY)
    assert (refused.status_code, len(signer.recorder.commands)) == (409, 1)
    hand_over = EscalationEntry(from_=SECOND, to=CHAIR, reason=EscalationReason.MANUAL, at=NOW)
    reassigned_line = SignerLine(person=SECOND, order=1, role=Role.SIGN, state=SignerState.REASSIGNED)
    signer.views[REQUEST] = make_view(signers=(reassigned_line,), escalations=(hand_over,))
    assert "Chair is asked instead of you." in text_of((await signer.open(signer.link(SECOND))).text)


async def test_ten_times_as_many_colleagues_as_are_shown_are_looked_for_by_name(signer: Phone) -> None:
    add_colleagues(signer, extra_count=10 * COLLEAGUES_AT_MOST)
    await signer.act("customer@acme.test", "sign")
    signer.views[REQUEST] = make_view(choices(SECOND))
    path = signer.link(SECOND)
    assert "Director" not in (await signer.open(path)).text
    nobody = await signer.post_option(path, Action.FIND, text="Customer")
    assert "None of your colleagues has this name." in text_of(nobody.text)
    broad_search = await signer.post_option(path, Action.FIND, text="director")
    assert len(values_of(broad_search.text, Action.DELEGATE)) == COLLEAGUES_AT_MOST
    narrow_search = await signer.post_option(path, Action.FIND, text="199 director")
    assert values_of(narrow_search.text, Action.DELEGATE) == ["board-199"]
    assert signer.recorder.commands == []
    await signer.post(path, option_of(narrow_search.text, Action.DELEGATE) | {"value": "board-199"})
    assert [command for command, _ in signer.recorder.commands] == [
        Delegation(actor=SECOND, signer=SECOND, to="board-199")
    ]
