"""What can be done to a request at the desk: each is the wish of a command, with the same refusals. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from activities.language import phrase
from starter.wishes import Refused
from workflows.model.attention import AttentionCode
from workflows.model.request import SignerState
from workflows.model.texts import plain
from workflows.model.views import RequestShow
from workflows.model.wishes import (
    Answer,
    Cancellation,
    Delegation,
    Extension,
    Pause,
    ReminderNow,
    Resumption,
    Wish,
)


class Deed(StrEnum):
    """What is done; a name is the last part of its page's address."""

    REMIND = "remind"
    EXTEND = "extend"
    DELEGATE = "delegate"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    ANSWER = "answer"


@dataclass(frozen=True)
class Asking:
    """The page that asks whether it is meant: what it is called, what it does, and what else must be said."""

    label: str
    hint: str
    done: str
    force: str = ""
    grave: bool = False


ASKING: Final[Mapping[Deed, Asking]] = {
    Deed.REMIND: Asking(
        phrase("Remind now"),
        phrase("Everybody whose turn it is gets a reminder at once."),
        phrase("A reminder is on its way."),
        force=phrase("Even if they were told within the hour"),
    ),
    Deed.EXTEND: Asking(
        phrase("Move the due date"),
        phrase("It is due at the end of that working day. Warnings and reminders are planned anew."),
        phrase("The due date was moved."),
    ),
    Deed.DELEGATE: Asking(
        phrase("Hand over"),
        phrase("Somebody else is asked instead, at Core Signature too: the old link dies."),
        phrase("It was handed over."),
        force=phrase("Even if they are away"),
    ),
    Deed.PAUSE: Asking(
        phrase("Pause"),
        phrase("Nobody is told anything and the clocks stand until somebody lets it go on."),
        phrase("It is paused."),
    ),
    Deed.RESUME: Asking(
        phrase("Let it go on"), phrase("The clocks go on, and reminders are planned anew."), phrase("It goes on.")
    ),
    Deed.CANCEL: Asking(
        phrase("Cancel the request"),
        phrase(
            "It ends for good, at Core Signature too, and everybody concerned is told. What is signed stays signed."
        ),
        phrase("It is being cancelled."),
        grave=True,
    ),
    Deed.ANSWER: Asking(
        phrase("Answer"),
        phrase("The signer is told the answer, and the clocks go on."),
        phrase("The answer is on its way."),
    ),
}
NOBODY_OF_THAT_NAME: Final = phrase("nobody in the directory has this id or address")
NO_DATE: Final = phrase("a date such as 2026-12-11 is needed")


def possible(shown: RequestShow) -> tuple[Deed, ...]:
    """What can be done now, as far as the request itself shows it; while no worker answers, nothing."""
    if shown.partial or shown.trouble or shown.status.ended:
        return ()
    paused = any(one.code is AttentionCode.PAUSED for one in shown.attention)
    deeds = [Deed.ANSWER] if shown.question else []
    deeds += [Deed.RESUME] if paused else [Deed.REMIND] if shown.waiting_for else []
    deeds += [Deed.EXTEND] if shown.due_at else []
    deeds += [Deed.DELEGATE] if takers(shown) else []
    deeds += [] if paused else [Deed.PAUSE]
    return (*deeds, Deed.CANCEL)


def takers(shown: RequestShow) -> tuple[str, ...]:
    """Whose place can be handed over: those whose turn it is."""
    open_ = (SignerState.TURN, SignerState.VIEWED, SignerState.BOUNCED)
    return tuple(line.person for line in shown.signers if line.state in open_)


def wish_of(deed: Deed, actor: str, form: Mapping[str, str], to: str | None) -> Wish:
    """What somebody wishes by a form; `to` is who takes over, if the directory knows them. `Refused` for nonsense."""
    return _WISHES[deed](actor, form, to)


def _remind(actor: str, form: Mapping[str, str], _: str | None) -> Wish:
    return ReminderNow(actor=actor, force=_force(form))


def _extend(actor: str, form: Mapping[str, str], _: str | None) -> Wish:
    try:
        return Extension(actor=actor, due=date.fromisoformat(form.get("due", "")))
    except ValueError:
        raise Refused(NO_DATE) from None


def _delegate(actor: str, form: Mapping[str, str], to: str | None) -> Wish:
    if to is None:
        raise Refused(NOBODY_OF_THAT_NAME)
    return Delegation(actor=actor, signer=form.get("signer", ""), to=to, force=_force(form))


def _text(form: Mapping[str, str]) -> str:
    return plain(form.get("text", "")).strip()


def _force(form: Mapping[str, str]) -> bool:
    return form.get("force") == "1"


_WISHES: Final[Mapping[Deed, Callable[[str, Mapping[str, str], str | None], Wish]]] = {
    Deed.REMIND: _remind,
    Deed.EXTEND: _extend,
    Deed.DELEGATE: _delegate,
    Deed.PAUSE: lambda actor, form, _: Pause(actor=actor, reason=_text(form)),
    Deed.RESUME: lambda actor, _, __: Resumption(actor=actor),
    Deed.CANCEL: lambda actor, form, _: Cancellation(actor=actor, reason=_text(form)),
    Deed.ANSWER: lambda actor, form, _: Answer(actor=actor, text=_text(form)),
}
