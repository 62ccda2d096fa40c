"""How each of our screens comes about, before pages on a real port and a sandbox, without waiting for a workflow."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urljoin

from activities.notifications.links import SIGNED, LinkUse, Through, serial_of
from activities.records.evidence import SignedDocument, SignedFile
from starter.queries.commands import CommandRefused, NotConfirmed
from starter.web.http.allowances import LOOKS_OF_A_LINK
from starter.web.screens.screens import ScreenName
from starter.web.screens.view_reader import FRESH_SECONDS
from tests.browser.phone import Phone
from tests.starter.web import paging
from tests.starter.web.pages.test_journey_pages import ACME, set_views
from tests.starter.web.pages.test_journey_pages import make_onboarding_view as onboarding
from tests.starter.web.pages.test_page_commands import add_colleagues
from tests.starter.web.pages.test_review_pages import in_review, line
from tests.starter.web.paging import CHAIR, FIRST, NOW, REQUEST, SECOND
from workflows.kinds import Kind
from workflows.model.evidence import KeptFile
from workflows.model.receipts import OperationState
from workflows.model.rejections import Rejection
from workflows.model.signature import SignerState
from workflows.model.subject import Identity, Role, Status, ToDecide
from workflows.model.timeline import AskedQuestion
from workflows.model.views import AssigneeLine, Choices, GivenAnswer, RequestShow, SignerLine, TaskShow
from workflows.task.state import AssigneeState

REQUESTER: Final = "legal-desk"
TASK: Final = "task:keys"
TYPED: Final = "Which annex is meant by “as agreed”?\nOurs has two."
_FIRST_MAIL: Final = "customer@acme.test"
_CHAIR_MAIL: Final = "chair@example.test"
_DUE: Final = datetime(2026, 12, 11, 17, 0, tzinfo=UTC)
_ANSWERED: Final = AskedQuestion(number=1, person=FIRST, text=TYPED, at=NOW, answer="Annex B, the one of November.")
_OPEN: Final = AskedQuestion(number=2, person=FIRST, text="And until when?", at=NOW)
_CHOICES: Final = Choices(
    person=FIRST,
    snoozes_left=1,
    snooze_until=_DUE,
    hand_over=True,
    ask=True,
    reminded_at=datetime(2026, 11, 27, 14, 0, tzinfo=UTC),
)


@dataclass(frozen=True)
class Stage:
    """The pages, what their side knows, and the phone that looks at them."""

    phone: Phone
    pages: paging.Phone

    async def open(self, path: str) -> None:
        """Go to a page of ours."""
        await self.phone.open(urljoin(str(self.pages.browser.base_url), path))

    async def press(self, path: str) -> None:
        """Go to a page of ours, and press its button."""
        await self.open(path)
        await self.phone.button("Read and sign").tap()

    async def ask(self) -> None:
        """Write a question and send it."""
        await self.phone.unfold()
        await self.phone.page.get_by_label("What would you like to know?").fill(TYPED)
        await self.phone.button("Send the question").tap()

    def know(self, **changes: Any) -> None:
        """Let the request be known to our own side."""
        states = zip((FIRST, SECOND, CHAIR), (SignerState.TURN, SignerState.WAITING, SignerState.COPIED), strict=True)
        signers = tuple(SignerLine(person=person, order=1, role=Role.SIGN, state=state) for person, state in states)
        request_view = RequestShow(
            id=REQUEST, kind="nda", document=paging.DOCUMENT, status=Status.SENT, requester=REQUESTER
        )
        sentence = "Waiting for customer-signer since Mon 23 Nov 2026 09:00 UTC."
        self.pages.views[REQUEST] = request_view.replace(due_at=_DUE, signers=signers, says=sentence).replace(**changes)

    def know_task(self, **changes: Any) -> None:
        """Let a task be known to our own side."""
        people = tuple(AssigneeLine(person=person, state=AssigneeState.ASKED) for person in (FIRST, SECOND))
        task_view = TaskShow(id="keys", kind="task", title="Hand out the keys", status=Status.OPEN, people=people)
        text = "Everybody who starts on Monday gets one.\nPlease have each of them sign the list."
        self.pages.views[TASK] = task_view.replace(due_at=_DUE, requester=REQUESTER, text=text).replace(**changes)


async def _not_ours(stage: Stage) -> None:
    await stage.open("/open/x")


async def _too_often(stage: Stage) -> None:
    for _ in range(LOOKS_OF_A_LINK.burst):
        await stage.pages.browser.get(stage.pages.link())
    await stage.open(stage.pages.link())


async def _foreign_form(stage: Stage) -> None:
    await _sign(stage)
    await stage.phone.page.locator("input[name=token]").first.evaluate("field => { field.value = 'made up'; }")
    await stage.phone.button("Read and sign").tap()


async def _no_answer(stage: Stage) -> None:
    await stage.pages.create()
    stage.pages.arm(method="GET", path="/api/v1/documents/*", fault="503", times=None)
    await stage.press(stage.pages.link())


async def _not_done(stage: Stage) -> None:
    await _sign(stage)
    stage.pages.views.clear()
    await stage.ask()


async def _uncertain(stage: Stage) -> None:
    await _sign(stage)
    stage.pages.recorder.failure = NotConfirmed("page-x")
    await stage.ask()


async def _received(stage: Stage) -> None:
    await _sign(stage)
    stage.pages.recorder.state = OperationState.OPEN
    await stage.ask()


async def refused(stage: Stage) -> None:
    """A question that the request does not take."""
    await _sign(stage)
    stage.pages.recorder.failure = CommandRefused(Rejection.QUESTION_OPEN.to_message())
    await stage.ask()


async def _stranger(stage: Stage) -> None:
    await stage.pages.create()
    await stage.press(stage.pages.link(CHAIR))


async def _unknown(stage: Stage) -> None:
    await stage.press(stage.pages.link())


async def _preparing(stage: Stage) -> None:
    stage.know()
    await stage.press(stage.pages.link())


async def _early(stage: Stage) -> None:
    await stage.pages.create()
    stage.know()
    await stage.open(stage.pages.link(SECOND))


async def _sign(stage: Stage) -> None:
    await stage.pages.create()
    stage.know(choices=(_CHOICES,), answered=(_ANSWERED,))
    await stage.open(stage.pages.link())


async def _approve(stage: Stage) -> None:
    stage.know(signers=(SignerLine(person=FIRST, order=1, role=Role.APPROVE, state=SignerState.TURN),))
    await stage.open(stage.pages.link())


async def _review(stage: Stage) -> None:
    sha256 = await stage.pages.store.files.put(b"%PDF-1.7")
    earlier_review = line(CHAIR, SignerState.CHANGES, reason=TYPED)
    stage.pages.views[REQUEST] = in_review(earlier_review, line(CHAIR, SignerState.TURN, round=2), sha256=sha256)
    await stage.open(stage.pages.link(CHAIR, LinkUse.REVIEW))


async def _revise(stage: Stage) -> None:
    changes = line(CHAIR, SignerState.CHANGES, reason=TYPED)
    stage.pages.views[REQUEST] = in_review(changes, line(REQUESTER, SignerState.TURN, role=Role.REVISE))
    await stage.open(stage.pages.link(REQUESTER, LinkUse.REVIEW))


async def _do(stage: Stage) -> None:
    stage.know_task(choices=(_CHOICES,), answered=(_ANSWERED,))
    await stage.open(stage.pages.link(FIRST, LinkUse.DO, TASK))


async def blocked(stage: Stage) -> None:
    """Where a task stands that somebody cannot go on with, for whoever asked for it."""
    stage.know_task(question=_OPEN.replace(blocks=True))
    await stage.open(stage.pages.link(REQUESTER, LinkUse.VIEW, TASK))


async def _by_mail(stage: Stage) -> None:
    await stage.pages.create()
    await stage.pages.forward(_FIRST_MAIL, _CHAIR_MAIL)
    chair = SignerLine(person=CHAIR, order=1, role=Role.SIGN, state=SignerState.TURN)
    stage.know(choices=(_CHOICES.replace(person=CHAIR),), signers=(chair,))
    await stage.press(stage.pages.link(CHAIR))


async def _code(stage: Stage) -> None:
    phone_number = "customer@acme.test, phone: '+31 20 555 0100'"
    stage.pages.people.write_text(paging.PEOPLE.replace("customer@acme.test", phone_number))
    await stage.pages.create()
    stage.know()
    await stage.press(stage.pages.link(identity=Identity.CODE))


async def _mail_sent(stage: Stage) -> None:
    await _by_mail(stage)
    await stage.phone.button("Send the email again").tap()


async def _acted(stage: Stage) -> None:
    await stage.pages.create()
    await stage.pages.act(_FIRST_MAIL, "sign")
    await stage.press(stage.pages.link())


async def _handed_over(stage: Stage) -> None:
    await stage.pages.create()
    await stage.pages.forward(_FIRST_MAIL, _CHAIR_MAIL)
    await stage.press(stage.pages.link())


async def _decided(stage: Stage) -> None:
    await deciding(stage)
    await stage.phone.unfold()
    await stage.phone.button("Send again").tap()


async def deciding(stage: Stage) -> None:
    """A part of an onboarding that its owner is asked to decide about."""
    decision, task_id = ToDecide(onboarding="acme", part="contract"), "acme.1.1.decide"
    stage.know_task(choices=(_CHOICES,), id=task_id, kind="onboarding-decision", title="Decide: MSA", decides=decision)
    set_views(stage.pages, onboarding())
    await stage.open(stage.pages.link(FIRST, LinkUse.DO, TASK))


_ASKED = GivenAnswer(label="Address for invoices", lines=4)


async def answering(stage: Stage) -> None:
    """A step that asks for an answer, behind the link that the customer's page gives."""
    stage.know_task(choices=(_CHOICES,), title="Tell us where the invoices go", text="", answer=_ASKED)
    await _through_the_journey(stage)


async def answered(stage: Stage) -> None:
    """The same once it is done."""
    stage.pages.watch.now += FRESH_SECONDS
    finished_assignee = AssigneeLine(person=FIRST, state=AssigneeState.DONE, at=NOW)
    answer = _ASKED.replace(text="1 Rue du Port, Paris")
    stage.know_task(status=Status.DONE, done_by=FIRST, title="Invoices", answer=answer, people=(finished_assignee,))
    await _through_the_journey(stage)


async def _through_the_journey(stage: Stage) -> None:
    link = stage.pages.links.link(TASK, FIRST, LinkUse.DO, through=Through(ACME, FIRST))
    await stage.open(link.removeprefix(paging.PUBLIC))


async def declined(stage: Stage, person: str) -> None:
    """What the one who declined finds, and what another signer does."""
    stage.pages.watch.now += FRESH_SECONDS
    first = SignerLine(
        person=FIRST, order=1, role=Role.SIGN, state=SignerState.DECLINED, at=NOW, reason="Annex B is missing."
    )
    other_signer = SignerLine(person=SECOND, order=2, role=Role.SIGN, state=SignerState.WAITING)
    stage.know(status=Status.DECLINED, signers=(first, other_signer))
    await stage.open(stage.pages.link(person))


async def finding(stage: Stage) -> None:
    """A signer with many colleagues and no delegate has looked for one of them."""
    add_colleagues(stage.pages, extra_count=40)
    chair = SignerLine(person=CHAIR, order=1, role=Role.SIGN, state=SignerState.TURN)
    stage.know(choices=(_CHOICES.replace(person=CHAIR, hand_over=True),), signers=(chair,))
    await stage.pages.create(("chair@example.test", 1))
    await stage.open(stage.pages.link(CHAIR))
    await stage.phone.unfold()
    await stage.phone.page.get_by_label("Name of your colleague").fill("director 7")
    await stage.phone.button("Look for them").tap()


async def _open_ended(stage: Stage) -> None:
    await stage.pages.create()
    await stage.pages.cancel()
    await stage.press(stage.pages.link())


async def _no_file(stage: Stage) -> None:
    stage.know()
    await stage.open(f"{stage.pages.link()}/document")


async def _erased(stage: Stage) -> None:
    kept_file = KeptFile(sha256="ab" * 32, bytes=7)
    signed = SignedDocument(document=SignedFile(kept_file.sha256, kept_file.bytes))
    await stage.pages.store.evidence.keep_signed(Kind.REQUEST.workflow_id(REQUEST), signed, NOW)
    stage.know(status=Status.SIGNED, signed_document=kept_file)
    await stage.open(f"{stage.pages.link()}/document")


async def _standing(stage: Stage) -> None:
    stage.know(answered=(_ANSWERED,), question=_OPEN)
    await stage.open(stage.pages.link(REQUESTER, LinkUse.VIEW))


async def _renewed(stage: Stage) -> None:
    set_views(stage.pages, onboarding())
    await stage.pages.store.one_use.replace_serial(serial_of(ACME, FIRST), "b7")
    await stage.open(stage.pages.link(FIRST, LinkUse.VIEW, ACME))


async def _link_sent(stage: Stage) -> None:
    await _renewed(stage)
    await stage.phone.button("Send me a new link").tap()


async def _preview_over(stage: Stage) -> None:
    link = stage.pages.links.link(ACME, FIRST, LinkUse.PREVIEW, expires_at=NOW)
    await stage.open(link.removeprefix(paging.PUBLIC))


async def _used_up(stage: Stage) -> None:
    link = stage.pages.links.handed_link(REQUEST, FIRST, "00" * 16, NOW.date())
    await stage.open(link.removeprefix(paging.PUBLIC))


async def _signed(stage: Stage) -> None:
    await stage.open(f"/open/{SIGNED}")


STAGES: Final[Mapping[ScreenName, Callable[[Stage], Awaitable[None]]]] = {
    ScreenName.NOT_OURS: _not_ours,
    ScreenName.TOO_OFTEN: _too_often,
    ScreenName.FOREIGN_FORM: _foreign_form,
    ScreenName.NO_ANSWER: _no_answer,
    ScreenName.NOT_DONE: _not_done,
    ScreenName.UNCERTAIN: _uncertain,
    ScreenName.RECEIVED: _received,
    ScreenName.STRANGER: _stranger,
    ScreenName.UNKNOWN: _unknown,
    ScreenName.PREPARING: _preparing,
    ScreenName.EARLY: _early,
    ScreenName.SIGN: _sign,
    ScreenName.APPROVE: _approve,
    ScreenName.REVIEW: _review,
    ScreenName.REVISE: _revise,
    ScreenName.DO: _do,
    ScreenName.BY_MAIL: _by_mail,
    ScreenName.CODE: _code,
    ScreenName.MAIL_SENT: _mail_sent,
    ScreenName.ACTED: _acted,
    ScreenName.HANDED_OVER: _handed_over,
    ScreenName.DECIDED: _decided,
    ScreenName.ENDED: _open_ended,
    ScreenName.NO_FILE: _no_file,
    ScreenName.ERASED: _erased,
    ScreenName.STANDING: _standing,
    ScreenName.RENEWED: _renewed,
    ScreenName.LINK_SENT: _link_sent,
    ScreenName.USED_UP: _used_up,
    ScreenName.SIGNED: _signed,
    ScreenName.PREVIEW_OVER: _preview_over,
}
"""What leads to each screen."""
