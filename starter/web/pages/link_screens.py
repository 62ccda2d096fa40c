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
from workflows.model.signature import SignerSeen, SignerState
from workflows.model.subject import Role, Status
from workflows.model.views import AssigneeLine, AttentionCode, GivenAnswer, RequestShow, Shown, SignerLine, TaskShow
from workflows.task.state import AssigneeState

_OWN: Final = (SignerState.SIGNED, SignerState.APPROVED, SignerState.DECLINED)
_NOTHING_LEFT: Final = phrase("Nothing is left for you to do.")


@dataclass(frozen=True)
class _Words:
    heading: str
    named: str
    dated: str


_SIGNED: Final = _Words(
    phrase("You have signed"),
    phrase("You have signed {document}."),
    phrase("You have signed {document} on {when}."),
)
APPROVED: Final = _Words(
    phrase("You have approved"),
    phrase("You have approved {document}."),
    phrase("You have approved {document} on {when}."),
)
_ACKNOWLEDGED: Final = _Words(
    phrase("You have acknowledged"),
    phrase("You have acknowledged {document}."),
    phrase("You have acknowledged {document} on {when}."),
)
_DECLINED: Final = _Words(
    phrase("You declined"), phrase("You declined {document}."), phrase("You declined {document} on {when}.")
)
_DONE: Final = _Words(
    phrase("You have done this"),
    phrase("You have marked {document} as done."),
    phrase("You have marked {document} as done on {when}."),
)
_REFUSED: Final = phrase("{who} declined {document} on {when}.")


@dataclass(frozen=True)
class SignerReceipt:
    """What is known when `person` has nothing left to do."""

    page: SigningPage
    shown: RequestShow | None
    person: str
    reader: Reader
    called: status.NamesById
    acknowledges: bool = False
    """Whether it is acknowledged, not signed."""

    @property
    def act(self) -> SignerLine | SignerSeen | None:
        """What they did; None if nothing."""
        line = status.line_of(self.shown, self.person) if self.shown else None
        line_or_page = line if line and line.state in _OWN else self.page.act
        return line_or_page if line_or_page and line_or_page.state in _OWN else None

    def screen(self, ended: Screen) -> Screen:
        """The receipt; for others, who refused and why."""
        if act := self.act:
            return self._receipt(act)
        line, refusal = (status.line_of(self.shown, self.person), self._refusal) if self.shown else (None, None)
        if self.shown is None or refusal is None or line is None or line.state is SignerState.REASSIGNED:
            return ended
        say, refuser = self.reader.language.say, isolated(self.called.get(refusal.person, refusal.person))
        refused_at = self.reader.instant(refusal.at) if refusal.at else ""
        refused = (
            say(_REFUSED, who=refuser, document=isolated(self._document), when=refused_at)
            if refused_at and self._document
            else ""
        )
        sentences = (refused,) if refused else status.ending_sentences_of(self.shown, self.reader.language, self.called)
        return replace(ended, sentences=sentences, quote=refusal.reason or "", comes=(say(_NOTHING_LEFT),))

    def _receipt(self, act: SignerLine | SignerSeen) -> Screen:
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
        return self.page.document or (self.shown.document if self.shown else "")

    @property
    def _alone(self) -> bool:
        return self.shown.asked_alone if self.shown and not self.shown.partial else self.page.alone

    @property
    def _refusal(self) -> SignerLine | None:
        if self.shown is None or self.shown.status is not Status.DECLINED:
            return None
        return next((line for line in self.shown.signers if line.state is SignerState.DECLINED), None)

    def _after_signing(self) -> Iterator[str]:
        language, view = self.reader.language, self.shown
        outcome = view.status if view and view.status.ended else self.page.outcome
        if outcome is Status.SIGNED:
            yield language.say("It is complete.") if self._alone else language.say("Everyone has signed.")
            yield language.say(_NOTHING_LEFT)
        elif view is None or view.partial or (outcome and outcome.ended):
            yield from status.ending_sentences_of(view, language, self.called) if view else ()
            yield language.say(_NOTHING_LEFT)
        else:
            if people := [isolated(self.called.get(signer, signer)) for signer in _next(view, self.person)]:
                yield language.say("Now it is the turn of {people}.", people=language.enumerate(people))
            yield language.say("You will be told when it is complete. Nothing is left for you to do.")

    def _after_refusal(self) -> Iterator[str]:
        language, view = self.reader.language, self.shown
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


def done_receipt(shown: TaskShow, person: str, reader: Reader) -> Screen | None:
    """None unless they did it."""
    if shown.done_by != person:
        return None
    line = next(
        (
            candidate
            for candidate in shown.people
            if candidate.person == person and candidate.state == AssigneeState.DONE
        ),
        None,
    )
    screen = acted_screen(_DONE, shown.title, line, reader)
    answer = (shown.answer.text or "") if shown.answer else ""
    return replace(screen, ticked=True, quote=answer, comes=(reader.language.say(_NOTHING_LEFT),))


def acted_screen(
    words: _Words, document: str, line: SignerLine | SignerSeen | AssigneeLine | None, reader: Reader
) -> Screen:
    say, sentence = reader.language.say, ""
    if document:
        acted_at = line.at if line else None
        date_text = reader.instant(acted_at) if acted_at else ""
        sentence = say(words.dated if date_text else words.named, document=isolated(document), when=date_text)
    sentences = (sentence,) if sentence else ()
    return Screen(
        reader.language, ScreenName.ACTED, 200, ScreenTone.DONE, say(words.heading), sentences, document=document
    )


def _next(view: RequestShow, person: str) -> tuple[str, ...]:
    """Whose turn it is, or will be once our data has the signature."""
    waiting = tuple(dict.fromkeys(turn.person for turn in view.waiting_for if turn.person != person))
    if waiting:
        return waiting
    open_lines = [line for line in view.signers if line.state is SignerState.WAITING and line.role is not Role.COPY]
    first = min((line.order for line in open_lines), default=0)
    return tuple(line.person for line in open_lines if line.order == first)


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
_PLAIN: Final = {
    SigningState.PREPARING: _PREPARING,
    SigningState.EARLY: _EARLY,
    SigningState.BY_MAIL: _BY_MAIL,
    SigningState.ACTED: _ACTED,
    SigningState.HANDED_OVER: HANDED_OVER,
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
    words_for(NotificationType.READY, NoticeAction.DO, None, of=Kind.TASK).title,
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


def signing_screen(page: SigningPage, due_at: datetime | None, reader: Reader, now: datetime) -> Screen:
    """The due date is on the reader's clock."""
    if page.state is SigningState.ENDED:
        return ended_screen(page.outcome, reader.language)
    screen = _draft(page).told(reader.language)
    named = replace(screen, document=page.document)
    return due_of(named, due_at, reader, now) if due_at and page.state in WAITING else named


def ended_screen(
    outcome: Status | None, language: Language, of: Kind = Kind.REQUEST, *, in_review: bool = False
) -> Screen:
    """How it ended, without the document's name."""
    endings = status.ending_sentences(outcome, language, of, in_review=in_review)
    sentences = (*endings, language.say("Nothing is left for you to do."))
    state = status.status_chip(outcome, language, of) if outcome else None
    return Screen(
        language, ScreenName.ENDED, 410, ScreenTone.CALM, language.say(KIND_PAGES[of].ended), sentences, state=state
    )


def task_screen(
    shown: TaskShow, person: str, reader: Reader, now: datetime, called: status.NamesById = status.NO_NAMES
) -> Screen:
    language = reader.language
    if shown.status.ended:
        return done_receipt(shown, person, reader) or _ended_task(shown, language)
    if any(line.person == person and line.state == AssigneeState.REASSIGNED for line in shown.people):
        return HANDED_OVER.told(language)
    if choices_of(shown, person) is None:
        return status_screen(shown, person, reader, now, called)
    onboarding = onboarding_to_decide(shown)
    doing = replace(_DECIDING.told(language), more=_at_desk(onboarding)) if onboarding else _DOING.told(language)
    if shown.answer and doing.button:
        doing = replace(doing, button=_answering(shown.answer, doing.button, language))
    screen = replace(doing, document=shown.title, text=shown.text)
    return due_of(screen, shown.due_at, reader, now) if shown.due_at else screen


DOING: Final[dict[Kind, Callable[[Any, str, Reader, datetime, status.NamesById], Screen]]] = {Kind.TASK: task_screen}
"""The screen behind a link whose use is `do`, by the view of its kind; a further kind adds its own."""


def _answering(answer: GivenAnswer, button: MainButton, language: Language) -> MainButton:
    label = language.say("Send the answer")
    return replace(button, label=label, field=answer.label, needed=answer.required, lines=answer.lines)


def decided_screen(act: Action, shown: Shown, language: Language) -> Screen:
    """The task ends a moment later."""
    onboarding = onboarding_to_decide(shown)
    became = language.say(ACTIONS[act].done)
    nothing_left = language.say("Nothing is left for you to do.")
    screen = replace(
        _DECIDED.told(language), sentences=(became,), comes=(nothing_left,), ticked=True, document=shown.title
    )
    return replace(screen, more=_at_desk(onboarding)) if onboarding else screen


def _ended_task(view: TaskShow, language: Language) -> Screen:
    screen = ended_screen(view.status, language, Kind.TASK)
    return replace(screen, heading=language.say("Somebody else has done it")) if view.done_by else screen


def status_screen(
    shown: Shown, person: str, reader: Reader, now: datetime, called: status.NamesById = status.NO_NAMES
) -> Screen:
    """Status for an onlooker; only the requester gets reasons."""
    language = reader.language
    screen = Screen(
        language,
        ScreenName.STANDING,
        200,
        _tone(shown),
        _status_heading(shown, language),
        status.status_sentences(shown, person, reader, called),
        document=shown.title or None,
        state=None if shown.partial else status.status_chip(shown.status, language, shown.type),
        text=shown.instructions,
        # Whoever asked was promised the reasons; they are for nobody else.
        quote=next(iter(shown.reasons.values()), "") if person == shown.requester else "",
        signers=tuple(
            PersonRow(
                called.get(line.person, line.person), status.chip_of(status.StateOwner.PERSON, line.state, language)
            )
            for line in (() if shown.partial and not shown.status.ended else status.listed_lines(shown))
        ),
        signers_are=status.lines_heading(shown, language),
        later_signers=tuple(PersonRow(called.get(person_id, person_id)) for person_id in _later_signers(shown, person)),
        more=_at_desk(WorkflowName(shown.type, shown.id)) if person == shown.requester else None,
    )
    return due_of(screen, shown.due_at, reader, now) if shown.due_at and not shown.status.ended else screen


def _later_signers(view: Shown, person: str) -> tuple[str, ...]:
    """Those who are asked after the review, for the requester."""
    if view.status is not Status.REVIEW or person != view.requester:
        return ()
    return tuple(line.person for line in of_type(RequestShow, view).signers)


def _at_desk(name: WorkflowName) -> str:
    """Relative, so that a proxy may use any path."""
    return f"../desk/{at_desk(name)}"


def how_many_have_signed(shown: RequestShow, language: Language) -> str | None:
    """Number of signers done; None for a single signer, at zero and when unknown."""
    signed_count, everyone = status.count_signed(shown)
    if shown.partial or everyone < _SEVERAL or not signed_count:
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


def _draft(page: SigningPage) -> ScreenDraft:
    if page.state is SigningState.OPEN:
        return _asking(page)
    if page.state is SigningState.BY_MAIL and page.request is None:
        return _BY_MAIL_WITH_OTHERS
    return _PLAIN[page.state]


def _asking(page: SigningPage) -> ScreenDraft:
    return _ASKING[NoticeAction.APPROVE if page.approves else NoticeAction.SIGN]


def _status_heading(view: Shown, language: Language) -> str:
    if view.status.ended:
        notification = words_for(
            NotificationType.SETTLED, NoticeAction.OPEN, view.status, of=view.type, in_review=view.unapproved
        )
        return notification.told(language).title
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
