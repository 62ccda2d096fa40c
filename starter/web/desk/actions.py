"""What can be done at the desk to a request or a task: each is the wish of a command, with the same refusals. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum, StrEnum, auto
from typing import Final, Self

from activities.people.language import phrase
from starter.queries.commands import CommandRefused
from starter.web.desk.sessions import Visitor
from starter.web.desk.views import ReaderRole
from starter.web.pages.options import AGAIN_HINT, ANSWER_HINT, DONE_HINT, GO_ON_HINT, STOP_HINT, UNBLOCK_HINT, to_decide
from workflows.kinds import Kind
from workflows.model.commands import (
    Answer,
    Cancellation,
    Command,
    Decision,
    Delegation,
    Done,
    Extension,
    PartOutcome,
    PauseCommand,
    ReminderNow,
    Resumption,
    Unblock,
    Waiver,
)
from workflows.model.rejections import plain
from workflows.model.signature import SignerState
from workflows.model.views import AttentionCode, OnboardingShow, Shown, TaskShow
from workflows.task.state import AssigneeState


class Action(StrEnum):
    """What is done; a name is the last part of its page's address."""

    REMIND = "remind"
    EXTEND = "extend"
    DELEGATE = "delegate"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    ANSWER = "answer"
    UNBLOCK = "unblock"
    DONE = "done"
    WAIVE = "waive"


@dataclass(frozen=True)
class ConfirmationPage:
    """The page that asks whether it is meant: what it is called, what it does, and what else must be said."""

    label: str
    hint: str
    done: str
    force: str = ""
    grave: bool = False


_ASKING: Final[Mapping[Action, ConfirmationPage]] = {
    Action.REMIND: ConfirmationPage(
        phrase("Remind now"),
        phrase("Everybody whose turn it is gets a reminder at once."),
        phrase("A reminder is on its way."),
        force=phrase("Even if they were told within the hour"),
    ),
    Action.EXTEND: ConfirmationPage(
        phrase("Move the due date"),
        phrase("It is due at the end of that working day. Warnings and reminders are planned anew."),
        phrase("The due date was moved."),
    ),
    Action.DELEGATE: ConfirmationPage(
        phrase("Hand over"),
        phrase("Somebody else is asked instead, at Core Signature too: the old link dies."),
        phrase("It was handed over."),
        force=phrase("Even if they are away"),
    ),
    Action.PAUSE: ConfirmationPage(
        phrase("Pause"),
        phrase("Nobody is told anything and reminders are paused until somebody resumes it."),
        phrase("It is paused."),
    ),
    Action.RESUME: ConfirmationPage(
        phrase("Resume"), phrase("Reminders are planned anew."), phrase("It has been resumed.")
    ),
    Action.CANCEL: ConfirmationPage(
        phrase("Cancel the request"),
        phrase(
            "It ends for good, at Core Signature too, and everybody concerned is told. What is signed stays signed."
        ),
        phrase("It is being cancelled."),
        grave=True,
    ),
    Action.ANSWER: ConfirmationPage(
        phrase("Answer the question"),
        ANSWER_HINT,
        phrase("The answer is on its way."),
    ),
    Action.UNBLOCK: ConfirmationPage(phrase("Clear the way"), UNBLOCK_HINT, phrase("The way is clear.")),
    Action.DONE: ConfirmationPage(phrase("Mark as done"), DONE_HINT, phrase("It is done.")),
    Action.WAIVE: ConfirmationPage(
        phrase("Waive the task"),
        phrase("It ends undone: nobody needs to do it any more, and everybody concerned is told."),
        phrase("It is waived."),
        grave=True,
    ),
}
_ASKING_OF_TASKS: Final[Mapping[Action, ConfirmationPage]] = {
    Action.DELEGATE: replace(
        _ASKING[Action.DELEGATE], hint=phrase("Somebody else is asked instead: the old link dies.")
    ),
    Action.CANCEL: replace(
        _ASKING[Action.CANCEL],
        label=phrase("Cancel the task"),
        hint=phrase("It ends for good, and everybody concerned is told."),
        done=phrase("It was cancelled."),
    ),
}
"""Where Core Signature has no part in it."""
_WHY: Final = {Action.PAUSE: "may", Action.CANCEL: "must", Action.WAIVE: "must"}
"""Where whoever does it may, or must, say why."""


@dataclass(frozen=True)
class ActionForm:
    """What somebody is about to do: a deed, or what is to become of a `part` of an onboarding.

    `path` is the end of its page's address; `why` says whether a reason may, or must, be given.
    """

    path: str
    asked: ConfirmationPage
    why: str = ""
    deed: Action | None = None
    choice: PartOutcome | None = None
    part: str = ""

    @classmethod
    def of_deed(cls, deed: Action, kind: Kind) -> Self:
        """Something that is done to what has this kind."""
        return cls(deed.value, asking(deed, kind), _WHY.get(deed, ""), deed)

    @classmethod
    def of_choice(cls, choice: PartOutcome, part: str) -> Self:
        """What an owner decides about a part."""
        why = "may" if choice.again else "must"
        return cls(f"{part}/{choice}", DECIDING[choice], why, choice=choice, part=part)

    def wish(self, actor: str, form: Mapping[str, str], to: str | None) -> Command:
        """What somebody wishes by a form; `to` is who takes over, if there is somebody. `CommandRefused` for
        nonsense.
        """
        if self.choice:
            return Decision(actor=actor, part=self.part, choice=self.choice, reason=_text(form))
        return _WISHES[self.deed or Action.CANCEL](actor, form, to)


_THEIR_TURN: Final = (SignerState.TURN, SignerState.VIEWED, SignerState.BOUNCED, AssigneeState.ASKED)
_ASKING_OF_ONBOARDINGS: Final = {
    Action.CANCEL: replace(
        _ASKING[Action.CANCEL],
        label=phrase("Stop the onboarding"),
        hint=STOP_HINT,
        done=phrase("It is being stopped."),
    ),
}
_ASKING_OF_CAMPAIGNS: Final = {
    Action.CANCEL: replace(
        _ASKING[Action.CANCEL],
        label=phrase("Stop the campaign"),
        hint=phrase("Nobody more is asked, and what is open ends for good. The record says how everybody stands."),
        done=phrase("It is being stopped."),
    ),
}
_ASKING_OF: Final = {
    Kind.REQUEST: _ASKING,
    Kind.TASK: _ASKING_OF_TASKS,
    Kind.ONBOARDING: _ASKING_OF_ONBOARDINGS,
    Kind.CAMPAIGN: _ASKING_OF_CAMPAIGNS,
}
DECIDING: Final[Mapping[PartOutcome, ConfirmationPage]] = {
    PartOutcome.RESEND: ConfirmationPage(
        phrase("Send again"),
        AGAIN_HINT,
        phrase("It begins once more."),
    ),
    PartOutcome.WAIVE: ConfirmationPage(
        phrase("Go on without it"),
        GO_ON_HINT,
        phrase("The onboarding goes on without it."),
        grave=True,
    ),
    PartOutcome.STOP: _ASKING_OF_ONBOARDINGS[Action.CANCEL],
}
"""What the owner of an onboarding decides here about a part; a replacement needs a file, so it is for the command."""
_UNDECIDED: Final = "undecided"
OF_MANAGERS: Final = (Action.REMIND, Action.DELEGATE)
"""What somebody may do about what waits for their own people."""
NOBODY_OF_THAT_NAME: Final = phrase("nobody in the directory has this id or address")
NO_DATE: Final = phrase("a date such as 2026-12-11 is needed")


def asking(deed: Action, kind: Kind) -> ConfirmationPage:
    """How it is asked whether it is meant."""
    return _ASKING_OF[kind].get(deed, _ASKING[deed])


def possible(shown: Shown) -> tuple[Action, ...]:
    """What can be done now, as far as what is shown says it; while no worker answers, nothing."""
    if shown.partial or shown.trouble or shown.status.ended:
        return ()
    if shown.type in (Kind.ONBOARDING, Kind.CAMPAIGN):
        return (Action.CANCEL,)
    paused = any(one.code is AttentionCode.PAUSED for one in shown.attention)
    decision = to_decide(shown) is not None
    task = shown.type is Kind.TASK and not decision
    deeds = [Action.DONE] if task else []
    if shown.question:
        deeds += [Action.UNBLOCK if shown.question.blocks else Action.ANSWER]
    deeds += [Action.RESUME] if paused else [Action.REMIND] if shown.waiting_for else []
    deeds += [Action.EXTEND] if shown.due_at else []
    deeds += [Action.DELEGATE] if takers(shown) else []
    deeds += [] if paused else [Action.PAUSE]
    deeds += [Action.WAIVE] if task else []
    # A task to decide that ends without a decision is asked again.
    return tuple(deeds) if decision else (*deeds, Action.CANCEL)


def takers(shown: Shown) -> tuple[str, ...]:
    """Whose place can be handed over: those whose turn it is."""
    return tuple(line.person for line in shown.lines if line.state in _THEIR_TURN)


def colleagues(shown: Shown) -> tuple[str, ...]:
    """Whom it names as those who may take over, and the directory may not know."""
    return shown.colleagues if isinstance(shown, TaskShow) else ()


def steps(shown: Shown) -> tuple[ActionForm, ...]:
    """Everything that can be done now, with what an owner may decide about each part that waits for a decision."""
    deeds = possible(shown)
    undecided = (
        [one.id for stage in shown.stages for one in stage.parts if one.state == _UNDECIDED]
        if (deeds and isinstance(shown, OnboardingShow))
        else []
    )
    choices = (ActionForm.of_choice(choice, part) for part in undecided for choice in DECIDING)
    return (*(ActionForm.of_deed(deed, shown.type) for deed in deeds), *choices)


def steps_for(shown: Shown, people: frozenset[str]) -> tuple[ActionForm, ...]:
    """What the manager of some of those whose turn it is can do for them."""
    theirs = any(person in people for person in takers(shown))
    deeds = [deed for deed in possible(shown) if deed in OF_MANAGERS] if theirs else []
    return tuple(ActionForm.of_deed(deed, shown.type) for deed in deeds)


def _remind(actor: str, form: Mapping[str, str], _: str | None) -> Command:
    return ReminderNow(actor=actor, force=_force(form))


def _extend(actor: str, form: Mapping[str, str], _: str | None) -> Command:
    try:
        return Extension(actor=actor, due=date.fromisoformat(form.get("due", "")))
    except ValueError:
        raise CommandRefused(NO_DATE) from None


def _delegate(actor: str, form: Mapping[str, str], to: str | None) -> Command:
    if to is None:
        raise CommandRefused(NOBODY_OF_THAT_NAME)
    return Delegation(actor=actor, signer=form.get("signer", ""), to=to, force=_force(form))


def _text(form: Mapping[str, str]) -> str:
    return plain(form.get("text", "")).strip()


def _force(form: Mapping[str, str]) -> bool:
    return form.get("force") == "1"


_WISHES: Final[Mapping[Action, Callable[[str, Mapping[str, str], str | None], Command]]] = {
    Action.REMIND: _remind,
    Action.EXTEND: _extend,
    Action.DELEGATE: _delegate,
    Action.PAUSE: lambda actor, form, _: PauseCommand(actor=actor, reason=_text(form)),
    Action.RESUME: lambda actor, _, __: Resumption(actor=actor),
    Action.CANCEL: lambda actor, form, _: Cancellation(actor=actor, reason=_text(form)),
    Action.ANSWER: lambda actor, form, _: Answer(actor=actor, text=_text(form)),
    Action.UNBLOCK: lambda actor, form, _: Unblock(actor=actor, text=_text(form)),
    Action.DONE: lambda actor, form, _: Done(actor=actor, note=_text(form)),
    Action.WAIVE: lambda actor, form, _: Waiver(actor=actor, reason=_text(form)),
}


class Right(Enum):
    """What somebody may."""

    NOTHING = auto()
    LOOK = auto()
    """Where it stands and who has acted, no reasons: whoever is above somebody who was asked."""
    OWN = auto()
    """The same, and the way to their own page."""
    EVERYTHING = auto()


def right_of(visitor: Visitor, standing: ReaderRole, shown: Shown) -> Right:
    """What somebody may with this request or task."""
    if standing.operator or shown.requester == visitor.id or shown.requester in standing.reports:
        return Right.EVERYTHING
    asked = [line.person for line in shown.lines]
    if shown.type is Kind.ONBOARDING:  # It asks nobody itself, its parts do.
        asked = [one.person for one in shown.waiting_for]
    if visitor.id in asked:
        return Right.OWN
    return Right.LOOK if any(person in standing.reports for person in asked) else Right.NOTHING
