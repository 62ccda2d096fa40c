"""A screen for each thing that a signer or an onlooker may find behind their link.

A receipt names the document and who is next; of a refusal, who asked and the other signers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from activities.core_signature.signing_page import SigningPage, SigningState
from activities.notifications.links import at_desk
from activities.notifications.words import isolated, words_for
from activities.people.language import Language, phrase
from activities.people.reader import Deadline, Reader, is_due_on_the_day_of
from starter.queries.lookup import of_type
from starter.web.acting.actions import ACTIONS, Action, onboarding_to_decide
from starter.web.acting.kinds import KIND_PAGES
from starter.web.pages.options import choices_of
from starter.web.screens import status
from starter.web.screens.screens import MainButton, Nearness, PersonRow, Screen, ScreenDraft, ScreenName, ScreenTone
from workflows.follow_up.notification_types import NotificationType
from workflows.kinds import Kind, WorkflowName
from workflows.model.notifications import NoticeAction
from workflows.model.signature import ReportedSigner, SignerState
from workflows.model.subject import Role, Status
from workflows.model.views import AssigneeLine, AttentionCode, GivenAnswer, RequestShow, Shown, SignerLine, TaskShow
from workflows.task.state import AssigneeState

_OWN: Final = (SignerState.SIGNED, SignerState.APPROVED, SignerState.DECLINED)
_NOTHING_LEFT: Final = phrase("Nothing is left for you to do.")
_REFUSED: Final = phrase("{who} declined {document} on {when}.")
_STRANGER: Final = ScreenDraft(
    ScreenName.STRANGER,
    404,
    phrase("You are not among the signers"),
    (phrase("Core Signature does not ask you to sign this. Please ask whoever sent you the link."),),
)
_UNKNOWN: Final = ScreenDraft(
    ScreenName.UNKNOWN,
    404,
    phrase("There is nothing to sign here"),
    (
        phrase("If it was sent just now, try again in a minute."),
        phrase("If it stays like this, please ask whoever sent it to you."),
    ),
    retry_after=30,
)
_PREPARING: Final = ScreenDraft(
    ScreenName.PREPARING,
    503,
    phrase("It is being prepared"),
    (phrase("Core Signature is preparing the document. Please try again in a minute."),),
    retry_after=30,
    tone=ScreenTone.CALM,
)
_EARLY: Final = ScreenDraft(
    ScreenName.EARLY,
    200,
    phrase("It is not your turn yet"),
    (phrase("Somebody else signs first. You will be told when it is your turn."),),
    tone=ScreenTone.CALM,
)
_ACTED: Final = ScreenDraft(
    ScreenName.ACTED,
    200,
    phrase("Your part is done"),
    (phrase("Thank you. Nothing is left for you to do here."),),
    tone=ScreenTone.DONE,
)
HANDED_OVER: Final = ScreenDraft(
    ScreenName.HANDED_OVER,
    200,
    phrase("It was handed over"),
    (phrase("Somebody else is asked instead of you. Nothing is left for you to do here."),),
    tone=ScreenTone.CALM,
)
_BY_MAIL: Final = ScreenDraft(
    ScreenName.BY_MAIL,
    200,
    phrase("Check your email"),
    (
        phrase("Core Signature has sent you an email about this document, with your own link in it."),
        phrase("Please sign from that email."),
    ),
    button=MainButton(
        Action.RESEND, phrase("Send the email again"), phrase("It is sent to you alone, at most once an hour.")
    ),
)
_BY_MAIL_WITH_OTHERS: Final = replace(
    _BY_MAIL,
    sentences=(
        *_BY_MAIL.sentences,
        phrase("It cannot be sent again from here, because others whose turn it is would get theirs, too."),
    ),
    button=None,
)
MAIL_SENT: Final = ScreenDraft(
    ScreenName.MAIL_SENT,
    200,
    phrase("The email is on its way"),
    (phrase("It comes from Core Signature and may take some minutes. Please check your junk folder as well."),),
    tone=ScreenTone.DONE,
)
_PLACE_TAKEN: Final = ScreenDraft(
    ScreenName.HANDED_OVER,
    200,
    phrase("Somebody else of your group signs it"),
    (phrase("Nothing is left for you to do here."),),
    tone=ScreenTone.CALM,
)
LEFT_GROUP: Final = replace(
    _PLACE_TAKEN,
    status=403,
    heading=phrase("You are not of this group any more"),
    sentences=(phrase("One of the group signs this. Please ask whoever sent you the link."),),
)
NO_PLACE_NOW: Final = ScreenDraft(
    ScreenName.NOT_DONE,
    503,
    phrase("Please try again in a minute"),
    (
        phrase("One of your group signs this, and who it is cannot be settled at the moment."),
        phrase("Nothing is lost, and your link still works."),
    ),
    retry_after=30,
)
BEING_PLACED: Final = ScreenDraft(
    ScreenName.RECEIVED,
    202,
    phrase("You sign for your group"),
    (
        phrase("Core Signature is being told that it is you. That may take a minute."),
        phrase("Please open your link again then, or sign from the email that Core Signature sends you."),
    ),
    look_again=True,
    tone=ScreenTone.CALM,
)
_PLAIN: Final = {
    SigningState.PREPARING: _PREPARING,
    SigningState.EARLY: _EARLY,
    SigningState.BY_MAIL: _BY_MAIL,
    SigningState.ACTED: _ACTED,
    SigningState.HANDED_OVER: HANDED_OVER,
    SigningState.PLACE_TAKEN: _PLACE_TAKEN,
    SigningState.STRANGER: _STRANGER,
    SigningState.UNKNOWN: _UNKNOWN,
}
_TO_SIGN: Final = MainButton(
    Action.SIGN,
    phrase("Read and sign"),
    phrase(
        "Opens the document in Core Signature. Nothing is signed until you sign it there, and you can decline there."
    ),
)
_TO_APPROVE: Final = MainButton(
    Action.SIGN,
    phrase("Read and approve"),
    phrase(
        "Opens the document in Core Signature. "
        "Nothing is approved until you approve it there, and you can decline there."
    ),
)
_ASKING: Final = {
    action: ScreenDraft(name, 200, words_for(NotificationType.READY, action, None).title, button=button)
    for action, name, button in (
        (NoticeAction.SIGN, ScreenName.SIGN, _TO_SIGN),
        (NoticeAction.APPROVE, ScreenName.APPROVE, _TO_APPROVE),
    )
}
WAITING: Final = (SigningState.OPEN, SigningState.EARLY, SigningState.BY_MAIL)
"""States in which the signer still has something to do."""
_DOING: Final = ScreenDraft(
    ScreenName.DO,
    200,
    words_for(NotificationType.READY, NoticeAction.DO, None, subject_kind=Kind.TASK).title,
    button=MainButton(Action.DONE, ACTIONS[Action.DONE].label, ACTIONS[Action.DONE].hint),
)
_DECIDING: Final = replace(
    _DOING,
    heading=phrase("Your decision is needed"),
    sentences=(phrase("Countersign asks you itself: a part of the onboarding has ended otherwise than planned."),),
    button=None,
)
_DECIDED: Final = ScreenDraft(ScreenName.DECIDED, 200, phrase("You have decided"), tone=ScreenTone.DONE)
_NEAR_LOOKS: Final = {
    Nearness.TODAY: (phrase("due today"), status.Look.NEAR),
    Nearness.PAST: (phrase("overdue"), status.Look.BAD),
}
_SEVERAL: Final = 2


@dataclass(frozen=True)
class _Words:
    heading: str
    named: str
    dated: str


APPROVED: Final = _Words(
    phrase("You have approved"),
    phrase("You have approved {document}."),
    phrase("You have approved {document} on {when}."),
)


@dataclass(frozen=True)
class SignerReceipt:
    """What is known when `person` has nothing left to do."""

    page: SigningPage
    view: RequestShow | None
    person: str
    reader: Reader
    called: status.NamesById
    acknowledges: bool = False
    """Whether it is acknowledged, not signed."""

    @property
    def act(self) -> SignerLine | ReportedSigner | None:
        """What they did; None if nothing."""
        line = status.line_of(self.view, self.person) if self.view else None
        line_or_page = line if line and line.state in _OWN else self.page.act
        return line_or_page if line_or_page and line_or_page.state in _OWN else None

    def screen(self, ended_screen: Screen) -> Screen:
        """The receipt; for others, who refused and why."""
        if act := self.act:
            return self._receipt(act)
        line, refusal = (status.line_of(self.view, self.person), self._refusal) if self.view else (None, None)
        if self.view is None or refusal is None or line is None or line.state is SignerState.REASSIGNED:
            return ended_screen
        say, refuser = self.reader.language.say, isolated(self.called.get(refusal.person, refusal.person))
        refused_at = self.reader.instant(refusal.at) if refusal.at else ""
        refused = (
            say(_REFUSED, who=refuser, document=isolated(self._document), when=refused_at)
            if refused_at and self._document
            else ""
        )
        sentences = (refused,) if refused else status.ending_sentences_of(self.view, self.reader.language, self.called)
        return replace(ended_screen, sentences=sentences, quote=refusal.reason or "", comes=(say(_NOTHING_LEFT),))

    def _receipt(self, act: SignerLine | ReportedSigner) -> Screen:
        declined = act.state is SignerState.DECLINED
        template = _DECLINED if declined else _ACKNOWLEDGED if self.acknowledges else _SIGNED
        if act.state is SignerState.APPROVED:
            template = APPROVED
        refusal = act if declined else self._refusal
        screen = acted_screen(template, self._document, act, self.reader)
        return replace(
            screen,
            tone=ScreenTone.CALM if declined else ScreenTone.DONE,
            ticked=not declined,
            quote=(refusal.reason or "") if refusal else "",
            comes=tuple(self._after_refusal() if declined else self._after_signing()),
        )

    @property
    def _document(self) -> str:
        return self.page.document or (self.view.document if self.view else "")

    @property
    def _alone(self) -> bool:
        return self.view.asked_alone if self.view and not self.view.partial else self.page.alone

    @property
    def _refusal(self) -> SignerLine | None:
        if self.view is None or self.view.status is not Status.DECLINED:
            return None
        return next((line for line in self.view.signers if line.state is SignerState.DECLINED), None)

    def _after_signing(self) -> Iterator[str]:
        language, view = self.reader.language, self.view
        outcome = view.status if view and view.status.has_ended else self.page.outcome
        if outcome is Status.SIGNED:
            yield language.say("It is complete.") if self._alone else language.say("Everyone has signed.")
            yield language.say(_NOTHING_LEFT)
        elif view is None or view.partial or (outcome and outcome.has_ended):
            yield from status.ending_sentences_of(view, language, self.called) if view else ()
            yield language.say(_NOTHING_LEFT)
        else:
            if people := [isolated(self.called.get(signer, signer)) for signer in _next(view, self.person)]:
                yield language.say("Now it is the turn of {people}.", people=language.enumerate(people))
            yield language.say("You will be told when it is complete. Nothing is left for you to do.")

    def _after_refusal(self) -> Iterator[str]:
        language, view = self.reader.language, self.view
        if view and view.requester:
            concerned = (view.requester, *(line.person for line in view.signers))
            reached = {
                line.person for line in view.notifications if line.stage == NotificationType.SETTLED and line.reached
            }
            notified = [person for person in dict.fromkeys(concerned) if person in reached and person != self.person]
            people = language.enumerate(
                isolated(self.called.get(person, person)) for person in notified or (view.requester,)
            )
            will_be = language.say("{people} will be told.", people=people)
            yield (
                language.say_count("{people} has been told.", "{people} have been told.", len(notified), people=people)
                if notified
                else will_be
            )
        yield language.say(_NOTHING_LEFT)


def done_receipt(view: TaskShow, person: str, reader: Reader) -> Screen | None:
    """None unless they did it."""
    if view.done_by != person:
        return None
    line = next(
        (
            candidate
            for candidate in view.people
            if candidate.person == person and candidate.state == AssigneeState.DONE
        ),
        None,
    )
    screen = acted_screen(_DONE, view.title, line, reader)
    answer = (view.answer.text or "") if view.answer else ""
    return replace(screen, ticked=True, quote=answer, comes=(reader.language.say(_NOTHING_LEFT),))


def acted_screen(
    templates: _Words, document: str, line: SignerLine | ReportedSigner | AssigneeLine | None, reader: Reader
) -> Screen:
    say, sentence = reader.language.say, ""
    if document:
        acted_at = line.at if line else None
        date_text = reader.instant(acted_at) if acted_at else ""
        sentence = say(templates.dated if date_text else templates.named, document=isolated(document), when=date_text)
    sentences = (sentence,) if sentence else ()
    return Screen(
        reader.language, ScreenName.ACTED, 200, ScreenTone.DONE, say(templates.heading), sentences, document=document
    )


def signing_screen(page: SigningPage, due_at: datetime | None, reader: Reader, now: datetime) -> Screen:
    """The due date is on the reader's clock."""
    if page.state is SigningState.ENDED:
        return ended_screen(page.outcome, reader.language)
    screen = _draft(page).in_language(reader.language)
    named = replace(screen, document=page.document)
    return due_of(named, due_at, reader, now) if due_at and page.state in WAITING else named


def ended_screen(
    outcome: Status | None, language: Language, kind: Kind = Kind.REQUEST, *, in_review: bool = False
) -> Screen:
    """How it ended, without the document's name."""
    endings = status.ending_sentences(outcome, language, kind, in_review=in_review)
    sentences = (*endings, language.say("Nothing is left for you to do."))
    state = status.status_chip(outcome, language, kind) if outcome else None
    return Screen(
        language,
        ScreenName.ENDED,
        410,
        ScreenTone.CALM,
        language.say(KIND_PAGES[kind].ended_phrase),
        sentences,
        state=state,
    )


def task_screen(
    view: TaskShow, person: str, reader: Reader, now: datetime, called: status.NamesById = status.NO_NAMES
) -> Screen:
    language = reader.language
    if view.status.has_ended:
        return done_receipt(view, person, reader) or _ended_task(view, language)
    if any(line.person == person and line.state == AssigneeState.REASSIGNED for line in view.people):
        return HANDED_OVER.in_language(language)
    if choices_of(view, person) is None:
        return status_screen(view, person, reader, now, called)
    onboarding = onboarding_to_decide(view)
    doing = (
        replace(_DECIDING.in_language(language), more_link=_at_desk(onboarding))
        if onboarding
        else _DOING.in_language(language)
    )
    if view.answer and doing.button:
        doing = replace(doing, button=_answering(view.answer, doing.button, language))
    screen = replace(doing, document=view.title, text=view.text)
    return due_of(screen, view.due_at, reader, now) if view.due_at else screen


_DONE: Final = _Words(
    phrase("You have done this"),
    phrase("You have marked {document} as done."),
    phrase("You have marked {document} as done on {when}."),
)
DOING: Final[dict[Kind, Callable[[Any, str, Reader, datetime, status.NamesById], Screen]]] = {Kind.TASK: task_screen}
"""The screen behind a link whose use is `do`, by the view of its kind; a further kind adds its own."""


def decided_screen(act: Action, view: Shown, language: Language) -> Screen:
    """The task ends a moment later."""
    onboarding = onboarding_to_decide(view)
    became = language.say(ACTIONS[act].confirmation)
    nothing_left = language.say("Nothing is left for you to do.")
    screen = replace(
        _DECIDED.in_language(language), sentences=(became,), comes=(nothing_left,), ticked=True, document=view.title
    )
    return replace(screen, more_link=_at_desk(onboarding)) if onboarding else screen


def status_screen(
    view: Shown, person: str, reader: Reader, now: datetime, called: status.NamesById = status.NO_NAMES
) -> Screen:
    """Status for an onlooker; only the requester gets reasons."""
    language = reader.language
    screen = Screen(
        language,
        ScreenName.STANDING,
        200,
        _tone(view),
        _status_heading(view, language),
        status.status_sentences(view, person, reader, called),
        document=view.title or None,
        state=None if view.partial else status.status_chip(view.status, language, view.type),
        text=view.instructions,
        # Whoever asked was promised the reasons; they are for nobody else.
        quote=next(iter(view.reasons.values()), "") if person == view.requester else "",
        signers=tuple(
            PersonRow(
                called.get(line.person, line.person), status.chip_of(status.StateOwner.PERSON, line.state, language)
            )
            for line in (() if view.partial and not view.status.has_ended else status.listed_lines(view))
        ),
        signers_are=status.lines_heading(view, language),
        later_signers=tuple(PersonRow(called.get(person_id, person_id)) for person_id in _later_signers(view, person)),
        more_link=_at_desk(WorkflowName(view.type, view.id)) if person == view.requester else None,
    )
    return due_of(screen, view.due_at, reader, now) if view.due_at and not view.status.has_ended else screen


def for_group(screen: Screen, state: SigningState, line: SignerLine | None, taker: str) -> Screen:
    """The screen of a member of a group of which anyone signs; `taker` is the name of who signs for it."""
    say = screen.language.say
    if line is None or not line.team or line.role is Role.REVIEW:
        return screen
    if state is SigningState.PLACE_TAKEN and taker:
        named = say("{who} signs it for the group.", who=isolated(taker))
        return replace(screen, sentences=(named, *screen.sentences))
    if state is not SigningState.OPEN or line.taken_at:
        return screen
    anyone = say("Any one of the group {group} signs it: whoever goes to sign first.", group=isolated(line.team))
    return replace(screen, sentences=(*screen.sentences, anyone))


def how_many_have_signed(view: RequestShow, language: Language) -> str | None:
    """Number of signers done; None for a single signer, at zero and when unknown."""
    signed_count, everyone = status.count_signed(view)
    if view.partial or everyone < _SEVERAL or not signed_count:
        return None
    return language.say_count(
        "{count} of {all} has signed.", "{count} of {all} have signed.", signed_count, all=everyone
    )


def due_of(screen: Screen, due_at: datetime, reader: Reader, now: datetime) -> Screen:
    nearness, state = nearness_of(due_at, reader, now), screen.state
    if nearness in _NEAR_LOOKS and screen.tone is ScreenTone.ASK:
        text, look = _NEAR_LOOKS[nearness]
        state = status.Chip(reader.language.say(text), look)
    return replace(screen, state=state, due=Deadline.sentence(due_at, reader, now), nearness=nearness)


def nearness_of(due_at: datetime, reader: Reader, now: datetime) -> Nearness:
    if due_at <= now:
        return Nearness.PAST
    return Nearness.TODAY if is_due_on_the_day_of(now, due_at, reader) else Nearness.AHEAD


_SIGNED: Final = _Words(
    phrase("You have signed"),
    phrase("You have signed {document}."),
    phrase("You have signed {document} on {when}."),
)
_ACKNOWLEDGED: Final = _Words(
    phrase("You have acknowledged"),
    phrase("You have acknowledged {document}."),
    phrase("You have acknowledged {document} on {when}."),
)
_DECLINED: Final = _Words(
    phrase("You declined"), phrase("You declined {document}."), phrase("You declined {document} on {when}.")
)


def _next(view: RequestShow, person: str) -> tuple[str, ...]:
    """Whose turn it is, or will be once our data has the signature."""
    waiting = tuple(dict.fromkeys(turn.person for turn in view.waiting_for if turn.person != person))
    if waiting:
        return waiting
    open_lines = [line for line in view.signers if line.state is SignerState.WAITING and line.role is not Role.COPY]
    first = min((line.order for line in open_lines), default=0)
    return tuple(line.person for line in open_lines if line.order == first)


def _answering(answer: GivenAnswer, button: MainButton, language: Language) -> MainButton:
    label = language.say("Send the answer")
    return replace(button, label=label, field=answer.label, is_needed=answer.required, lines=answer.lines)


def _ended_task(view: TaskShow, language: Language) -> Screen:
    screen = ended_screen(view.status, language, Kind.TASK)
    return replace(screen, heading=language.say("Somebody else has done it")) if view.done_by else screen


def _later_signers(view: Shown, person: str) -> tuple[str, ...]:
    """Those who are asked after the review, for the requester."""
    if view.status is not Status.REVIEW or person != view.requester:
        return ()
    return tuple(line.person for line in of_type(RequestShow, view).signers)


def _at_desk(name: WorkflowName) -> str:
    """Relative, so that a proxy may use any path."""
    return f"../desk/{at_desk(name)}"


def _draft(page: SigningPage) -> ScreenDraft:
    if page.state is SigningState.OPEN:
        return _asking(page)
    if page.state is SigningState.BY_MAIL and page.request is None:
        return _BY_MAIL_WITH_OTHERS
    return _PLAIN[page.state]


def _asking(page: SigningPage) -> ScreenDraft:
    return _ASKING[NoticeAction.APPROVE if page.approves else NoticeAction.SIGN]


def _status_heading(view: Shown, language: Language) -> str:
    if view.status.has_ended:
        notification = words_for(
            NotificationType.SETTLED, NoticeAction.OPEN, view.status, subject_kind=view.type, in_review=view.unapproved
        )
        return notification.translate(language).title
    if view.status is Status.CONVERTING:
        return language.say("Being prepared")
    if view.status is Status.REVIEW:
        return language.say("Waiting for its reviewers")
    if onboarding_to_decide(view) or any(attention.code is AttentionCode.DECISION for attention in view.attention):
        return language.say("Waiting for a decision")
    page = KIND_PAGES[view.type]
    stuck = page.blocked if view.question and view.question.blocks else ""
    return language.say(stuck or page.waiting)


def _tone(view: Shown) -> ScreenTone:
    if view.status.fulfilled:
        return ScreenTone.DONE
    return ScreenTone.TROUBLE if view.problem or view.trouble or view.status is Status.FAILED else ScreenTone.CALM
