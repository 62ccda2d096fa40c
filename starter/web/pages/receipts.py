"""What somebody finds who has acted, or whose colleague has refused: what was done and when, and what comes. Pure.

A receipt is for its reader alone. It names the document and who is next; of those who heard of a refusal it names
whoever asked and the other signers, and nobody downstream.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from activities.core_signature.signing_page import SigningPage
from activities.notifications.words import isolated
from activities.people.language import phrase
from activities.people.reader import Reader
from starter.web.pages.screens import Screen, ScreenName, ScreenTone
from starter.web.pages.status import Called, ending_of, is_alone, line_of
from workflows.follow_up.notification_types import NotificationType
from workflows.model.signature import SignerSeen, SignerState
from workflows.model.subject import Role, Status
from workflows.model.views import AssigneeLine, RequestShow, SignerLine, TaskShow
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
_APPROVED: Final = _Words(
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
class Over:
    """What is known where nothing is left to do for `person`: by Core Signature's `page`, and by our own side."""

    page: SigningPage
    shown: RequestShow | None
    person: str
    reader: Reader
    called: Called
    acknowledges: bool = False
    """Whether the document is acknowledged, as that of a campaign is, not signed."""

    @property
    def act(self) -> SignerLine | SignerSeen | None:
        """What they did themselves; None when they have not acted, or nobody knows."""
        line = line_of(self.shown, self.person) if self.shown else None
        known = line if line and line.state in _OWN else self.page.act
        return known if known and known.state in _OWN else None

    def screen(self, ended: Screen) -> Screen:
        """The receipt of who has acted; of who had not when another signer refused, who refused what, and why."""
        if act := self.act:
            return self._receipt(act)
        line, refusal = (line_of(self.shown, self.person), self._refusal) if self.shown else (None, None)
        if self.shown is None or refusal is None or line is None or line.state is SignerState.REASSIGNED:
            return ended
        say, who = self.reader.language.say, isolated(self.called.get(refusal.person, refusal.person))
        when = self.reader.instant(refusal.at) if refusal.at else ""
        told = say(_REFUSED, who=who, document=isolated(self._document), when=when) if when and self._document else ""
        sentences = (told,) if told else ending_of(self.shown, self.reader.language, self.called)
        return replace(ended, sentences=sentences, quote=refusal.reason or "", comes=(say(_NOTHING_LEFT),))

    def _receipt(self, act: SignerLine | SignerSeen) -> Screen:
        declined = act.state is SignerState.DECLINED
        words = _DECLINED if declined else _ACKNOWLEDGED if self.acknowledges else _SIGNED
        if act.state is SignerState.APPROVED:
            words = _APPROVED
        refusal = act if declined else self._refusal
        screen = _made(words, self._document, act, self.reader)
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
        return is_alone(self.shown) if self.shown and not self.shown.partial else self.page.alone

    @property
    def _refusal(self) -> SignerLine | None:
        if self.shown is None or self.shown.status is not Status.DECLINED:
            return None
        return next((line for line in self.shown.signers if line.state is SignerState.DECLINED), None)

    def _after_signing(self) -> Iterator[str]:
        """Who is next, and what comes; of what has ended, how."""
        language, shown = self.reader.language, self.shown
        outcome = shown.status if shown and shown.status.ended else self.page.outcome
        if outcome is Status.SIGNED:
            yield language.say("It is complete.") if self._alone else language.say("Everyone has signed.")
            yield language.say(_NOTHING_LEFT)
        elif shown is None or shown.partial or (outcome and outcome.ended):
            yield from ending_of(shown, language, self.called) if shown else ()
            yield language.say(_NOTHING_LEFT)
        else:
            if people := [isolated(self.called.get(one, one)) for one in _next(shown, self.person)]:
                yield language.say("Now it is the turn of {people}.", people=language.enumerate(people))
            yield language.say("You will be told when it is complete. Nothing is left for you to do.")

    def _after_refusal(self) -> Iterator[str]:
        """Who was told, else who will be."""
        language, shown = self.reader.language, self.shown
        if shown and shown.requester:
            concerned = (shown.requester, *(line.person for line in shown.signers))
            reached = {
                line.person for line in shown.notifications if line.stage == NotificationType.SETTLED and line.reached
            }
            told = [one for one in dict.fromkeys(concerned) if one in reached and one != self.person]
            people = language.enumerate(isolated(self.called.get(one, one)) for one in told or (shown.requester,))
            will_be = language.say("{people} will be told.", people=people)
            yield (
                language.say_count("{people} has been told.", "{people} have been told.", len(told), people=people)
                if told
                else will_be
            )
        yield language.say(_NOTHING_LEFT)


def done_receipt(shown: TaskShow, person: str, reader: Reader) -> Screen | None:
    """The page of somebody who has done a task; None for everybody else."""
    if shown.done_by != person:
        return None
    line = next((one for one in shown.people if one.person == person and one.state == AssigneeState.DONE), None)
    screen = _made(_DONE, shown.title, line, reader)
    answer = (shown.answer.text or "") if shown.answer else ""
    return replace(screen, ticked=True, quote=answer, comes=(reader.language.say(_NOTHING_LEFT),))


def _made(words: _Words, document: str, line: SignerLine | SignerSeen | AssigneeLine | None, reader: Reader) -> Screen:
    say, told = reader.language.say, ""
    if document:
        at = line.at if line else None
        when = reader.instant(at) if at else ""
        told = say(words.dated if when else words.named, document=isolated(document), when=when)
    sentences = (told,) if told else ()
    return Screen(
        reader.language, ScreenName.ACTED, 200, ScreenTone.DONE, say(words.heading), sentences, document=document
    )


def _next(shown: RequestShow, person: str) -> tuple[str, ...]:
    """Whose turn it is; while our own side has not heard of the signature yet, who comes after it."""
    waiting = tuple(dict.fromkeys(one.person for one in shown.waiting_for if one.person != person))
    if waiting:
        return waiting
    left = [line for line in shown.signers if line.state is SignerState.WAITING and line.role is not Role.COPY]
    first = min((line.order for line in left), default=0)
    return tuple(line.person for line in left if line.order == first)
