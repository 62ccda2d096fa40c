"""All actions on a web page: who may take each, its words, its command."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from activities.people.language import phrase
from starter.queries.commands import CommandRefused
from starter.web.rights import Right, in_turn, may_get_link
from workflows.follow_up.notification_types import NotificationType, kind_of
from workflows.follow_up.outbox import last_of
from workflows.kinds import Kind, WorkflowName
from workflows.model import commands
from workflows.model.hand_off import HandoffState
from workflows.model.rejections import Rejection, plain
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status, group_of
from workflows.model.views import AttentionCode, Shown, SignerLine
from workflows.onboarding.state import DECISION, decided_onboarding

_WHY: Final = phrase("Why")


class Action(StrEnum):
    """The button of a form; at the desk the last part of an address."""

    SIGN = "sign"
    RESEND = "resend"
    FIND = "find"
    LATER = "later"
    ASK = "ask"
    BLOCK = "block"
    DONE = "done"
    ANSWER = "answer"
    UNBLOCK = "unblock"
    RESUME = "resume"
    REMIND = "remind"
    EXTEND = "extend"
    DELEGATE = "delegate"
    LINK = "link"
    PAUSE = "pause"
    WAIVE = "waive"
    CANCEL = "cancel"
    APPROVE = "approve"
    CHANGES = "changes"
    REVISE = "revise"
    AGAIN = "again"
    GO_ON = "go-on"
    STOP = "stop"
    EXEMPT = "exempt"
    RETRY = "retry"
    TAKE = "take"
    REPLAY = "replay"


class PageRole(StrEnum):
    """Who may take an action behind their own link; who may at the desk says `starter.web.rights`."""

    ASKED = "asked"
    """Whose turn it is."""
    ANSWERING = "answering"
    """The requester, and people told of a question."""
    ASKING = "asking"
    """Each of the group that asks."""


@dataclass(frozen=True)
class PostedForm:
    """A form posted by `actor`, and what its page adds."""

    actor: str
    form: Mapping[str, str]
    part: str = ""
    """Of an onboarding."""
    signer: str = ""
    """Whose place is handed over, or the target that is told again."""
    to: str | None = None
    """The new person; None for an unknown name."""
    until: datetime | None = None
    """Time of the reminder; None when it is not offered."""
    version: commands.Revision | None = None
    """The new version that came with it; None without one that can be sent."""

    @property
    def text(self) -> str:
        return plain(self.form.get("text", "")).strip()

    @property
    def version_read(self) -> int:
        """The number of the version that the page showed to a reviewer; 0 without one."""
        number = self.form.get("version", "")
        return int(number) if re.fullmatch(r"[1-9][0-9]{0,2}", number) else 0

    @property
    def force(self) -> bool:
        """Whether the sender insists."""
        return self.form.get("force") == "1"


@dataclass(frozen=True)
class ActionSpec:
    """One action.

    `field` is the label of a text area, `done` the message afterwards, `force` the label of the box that insists. An
    empty `title` or `button` is the label.
    """

    label: str
    on_page: tuple[PageRole, ...]
    command: Callable[[PostedForm], commands.AnyCommand]
    hint: str = ""
    field: str = ""
    is_needed: bool = True
    title: str = ""
    button: str = ""
    confirmation: str = ""
    force: str = ""
    grave: bool = False


DECISIONS: Final = {
    Action.AGAIN: commands.PartOutcome.RESEND,
    Action.GO_ON: commands.PartOutcome.WAIVE,
    Action.STOP: commands.PartOutcome.STOP,
}
"""Decisions about a part. A replacement needs a file, so it is a command only."""


def right_to(action: Action) -> Right | None:
    """What it takes at the desk; None for what is only on pages."""
    if action in DECISIONS:
        return Right.DECIDE
    return Right(action.value) if action.value in [right.value for right in Right] else None


def _extension(posted: PostedForm) -> commands.Extension:
    try:
        return commands.Extension(actor=posted.actor, due=date.fromisoformat(posted.form.get("due", "")))
    except ValueError:
        raise CommandRefused(Rejection.NO_DATE.to_message()) from None


def _delegation(posted: PostedForm) -> commands.Delegation:
    if posted.to is None:
        raise CommandRefused(Rejection.NOBODY_OF_THAT_NAME.to_message())
    return commands.Delegation(actor=posted.actor, signer=posted.signer, to=posted.to, force=posted.force)


def _not_now(posted: PostedForm) -> commands.SnoozeCommand:
    if posted.until is None:
        raise CommandRefused(Rejection.CANNOT_WAIT.to_message())
    return commands.SnoozeCommand(person=posted.actor, until=posted.until)


def _revision(posted: PostedForm) -> commands.Revision:
    if posted.version is None:
        raise CommandRefused(Rejection.NO_VERSION.to_message())
    return posted.version.replace(actor=posted.actor, changes=posted.text)


def _decision(action: Action) -> Callable[[PostedForm], commands.Decision]:
    choice = DECISIONS[action]
    return lambda form: commands.Decision(actor=form.actor, part=form.part, choice=choice, reason=form.text)


ACTIONS: Final[Mapping[Action, ActionSpec]] = {
    Action.LATER: ActionSpec(
        phrase("Not now"), (PageRole.ASKED,), _not_now, hint=phrase("The due date stays as it is.")
    ),
    Action.ASK: ActionSpec(
        phrase("Ask a question"),
        (PageRole.ASKED,),
        lambda form: commands.Question(person=form.actor, text=form.text),
        hint=phrase("Whoever asked for this gets your question. Reminders wait for the answer, for a limited time."),
        field=phrase("What would you like to know?"),
        button=phrase("Send the question"),
    ),
    Action.BLOCK: ActionSpec(
        phrase("I cannot go on, because …"),
        (PageRole.ASKED,),
        lambda form: commands.Block(person=form.actor, because=form.text),
        hint=phrase("Whoever asked for this hears why. Reminders wait until the way is clear, for a limited time."),
        field=phrase("What is stopping you?"),
        button=phrase("Send this"),
    ),
    Action.DONE: ActionSpec(
        phrase("Mark as done"),
        (PageRole.ASKED,),
        lambda form: commands.TaskCompletion(actor=form.actor, note=form.text),
        hint=phrase("It is then done for everybody who was asked. This cannot be taken back."),
        field=phrase("Your note"),
        is_needed=False,
        title=phrase("Mark as done, with a note"),
        confirmation=phrase("It is done."),
    ),
    Action.ANSWER: ActionSpec(
        phrase("Answer the question"),
        (PageRole.ANSWERING,),
        lambda form: commands.Answer(actor=form.actor, text=form.text),
        hint=phrase("Whoever asked gets your answer, and reminders go on."),
        field=phrase("Your answer"),
        button=phrase("Send the answer"),
        confirmation=phrase("The answer is on its way."),
    ),
    Action.UNBLOCK: ActionSpec(
        phrase("Clear the way"),
        (PageRole.ANSWERING,),
        lambda form: commands.Unblock(actor=form.actor, text=form.text),
        hint=phrase("Whoever could not go on gets your words, and reminders go on."),
        field=phrase("How can it go on?"),
        is_needed=False,
        button=phrase("It can go on"),
        confirmation=phrase("The way is clear."),
    ),
    Action.TAKE: ActionSpec(
        phrase("See to it myself"),
        (PageRole.ASKING,),
        lambda form: commands.Take(actor=form.actor, person=form.actor),
        hint=phrase("Questions and news of it then come to you alone; the others of the group still see it here."),
        confirmation=phrase("You see to it now."),
    ),
    Action.REMIND: ActionSpec(
        phrase("Remind now"),
        (),
        lambda form: commands.ReminderCommand(actor=form.actor, force=form.force),
        hint=phrase("Everybody whose turn it is gets a reminder at once."),
        confirmation=phrase("A reminder is on its way."),
        force=phrase("Even if they were told within the hour"),
    ),
    Action.EXTEND: ActionSpec(
        phrase("Move the due date"),
        (),
        _extension,
        hint=phrase("It is due at the end of that working day. Warnings and reminders are planned anew."),
        confirmation=phrase("The due date was moved."),
    ),
    Action.DELEGATE: ActionSpec(
        phrase("Hand over"),
        (PageRole.ASKED,),
        _delegation,
        hint=phrase("Somebody else is asked instead, at Core Signature too: the old link stops working."),
        confirmation=phrase("It was handed over."),
        force=phrase("Even if they are away"),
    ),
    Action.LINK: ActionSpec(
        phrase("Hand over a link"),
        (),
        lambda form: commands.LinkHandover(actor=form.actor, signer=form.signer),
        hint=phrase(
            "For a signer who is there, or whom you write to yourself: it leads them to the document once, within a "
            "day. The timeline says that you handed it over."
        ),
    ),
    Action.PAUSE: ActionSpec(
        phrase("Pause"),
        (),
        lambda form: commands.PauseCommand(actor=form.actor, reason=form.text),
        hint=phrase("Nobody is told anything and reminders are paused until somebody resumes it."),
        field=_WHY,
        is_needed=False,
        confirmation=phrase("It is paused."),
    ),
    Action.RESUME: ActionSpec(
        phrase("Resume"),
        (),
        lambda form: commands.Resumption(actor=form.actor),
        hint=phrase("Reminders are planned anew."),
        confirmation=phrase("It has been resumed."),
    ),
    Action.WAIVE: ActionSpec(
        phrase("Waive the task"),
        (),
        lambda form: commands.Waiver(actor=form.actor, reason=form.text),
        hint=phrase("It ends undone: nobody needs to do it any more, and everybody concerned is told."),
        field=_WHY,
        confirmation=phrase("It is waived."),
        grave=True,
    ),
    Action.CANCEL: ActionSpec(
        phrase("Cancel the request"),
        (),
        lambda form: commands.Cancellation(actor=form.actor, reason=form.text),
        hint=phrase(
            "It ends for good, at Core Signature too, and everybody concerned is told. What is signed stays signed."
        ),
        field=_WHY,
        confirmation=phrase("It is being cancelled."),
        grave=True,
    ),
    Action.EXEMPT: ActionSpec(
        phrase("Exempt"),
        (),
        lambda form: commands.Exemption(actor=form.actor, person=form.signer, reason=form.text),
        hint=phrase("They need not acknowledge it, and are told so. The record says why."),
        field=_WHY,
        confirmation=phrase("They need not acknowledge it any more."),
    ),
    Action.RETRY: ActionSpec(
        phrase("Ask again who could not be asked"),
        (),
        lambda form: commands.Retry(actor=form.actor),
        hint=phrase("Whoever could not be asked because of an error is asked once more."),
        confirmation=phrase("They are being asked again."),
    ),
    Action.REPLAY: ActionSpec(
        phrase("Hand off again"),
        (),
        lambda posted: commands.Replay(actor=posted.actor, target=posted.signer),
        hint=phrase("The ending is told once more to a system or person that could not be told."),
        confirmation=phrase("It was handed off again."),
    ),
    Action.APPROVE: ActionSpec(
        phrase("Approve"),
        (PageRole.ASKED,),
        lambda form: commands.ReviewAnswer(actor=form.actor, approve=True, version=form.version_read),
        hint=phrase("It may be sent as it is. This cannot be taken back."),
    ),
    Action.CHANGES: ActionSpec(
        phrase("Ask for changes"),
        (PageRole.ASKED,),
        lambda form: commands.ReviewAnswer(actor=form.actor, changes=form.text, version=form.version_read),
        hint=phrase("Whoever asked for this gets your words, and gives a new version. You are then asked again."),
        field=phrase("What is to be changed?"),
        button=phrase("Send this"),
    ),
    Action.REVISE: ActionSpec(
        phrase("Give a new version"),
        (PageRole.ASKED,),
        _revision,
        hint=phrase("All reviewers are asked again."),
        field=phrase("What has changed"),
        is_needed=False,
        button=phrase("Send the new version"),
        confirmation=phrase("The reviewers are asked again."),
    ),
    Action.AGAIN: ActionSpec(
        phrase("Send again"),
        (PageRole.ASKED,),
        _decision(Action.AGAIN),
        hint=phrase("It begins once more as it was, and whoever is asked hears of it."),
        field=_WHY,
        is_needed=False,
        confirmation=phrase("It begins once more."),
    ),
    Action.GO_ON: ActionSpec(
        phrase("Go on without it"),
        (PageRole.ASKED,),
        _decision(Action.GO_ON),
        hint=phrase("The stage no longer waits for it."),
        field=_WHY,
        confirmation=phrase("The onboarding goes on without it."),
        grave=True,
    ),
    Action.STOP: ActionSpec(
        phrase("Stop the onboarding"),
        (PageRole.ASKED,),
        _decision(Action.STOP),
        hint=phrase("Its open parts end for good, no more begin, and everybody concerned is told."),
        field=_WHY,
        confirmation=phrase("It is being stopped."),
        grave=True,
    ),
}
"""Signing, sending again and finding a colleague are no commands: they have no row."""


def parse_action(act: str) -> Action | None:
    return Action(act) if act in list(Action) else None


def possible_actions(view: Shown, among: tuple[Action, ...]) -> tuple[Action, ...]:
    """The actions `among` these that are possible now; none while no worker answers."""
    if view.partial or view.trouble:
        return ()
    replay = (Action.REPLAY,) if Action.REPLAY in among and dead_targets(view) else ()
    if view.status.has_ended:
        return replay
    paused = any(incident.code is AttentionCode.PAUSED for incident in view.attention)
    # A task to decide that ends without a decision is asked again.
    deciding = onboarding_to_decide(view) is not None
    now = {
        Action.DONE: not deciding,
        Action.ANSWER: bool(view.question and not view.question.blocks),
        Action.UNBLOCK: bool(view.question and view.question.blocks),
        Action.RESUME: paused,
        Action.REVISE: view.to_be_revised,
        Action.TAKE: group_of(view.requester) is not None and not view.notify_all,
        Action.REMIND: not paused and bool(view.waiting_for or view.member_counts.open),
        Action.EXTEND: view.due_at is not None,
        Action.DELEGATE: bool(in_turn(view)),
        Action.LINK: view.status is not Status.REVIEW and bool(may_get_link(view)),
        Action.PAUSE: not paused,
        Action.WAIVE: not deciding,
        Action.CANCEL: not deciding,
        Action.EXEMPT: view.member_counts.open > 0 or bool(exemptable_reviewers(view)),
        Action.RETRY: view.member_counts.faulty > 0,
        Action.REPLAY: bool(replay),
    }
    return tuple(action for action in among if now[action])


def dead_targets(shown: Shown) -> tuple[str, ...]:
    """Those of the hand-off that nobody tries again by themselves."""
    return tuple(line.target for line in last_of(shown.handoffs) if line.state is HandoffState.DEAD)


def exemptable_reviewers(view: Shown) -> tuple[str, ...]:
    """Who need not review it if somebody says so; nobody where nobody else would approve it then."""
    lines = view.lines if view.status is Status.REVIEW else ()
    reviewers = [line for line in lines if isinstance(line, SignerLine) and line.role is Role.REVIEW]
    awaited = [reviewer.person for reviewer in reviewers if reviewer.state in (SignerState.WAITING, SignerState.TURN)]
    approved = any(reviewer.state is SignerState.APPROVED for reviewer in reviewers)
    return tuple(awaited) if approved or len(awaited) > 1 else ()


def onboarding_to_decide(view: Shown) -> WorkflowName | None:
    """The onboarding that a decision task is about."""
    onboarding_id = decided_onboarding(view.id) if view.kind == DECISION else None
    return WorkflowName(Kind.ONBOARDING, onboarding_id) if onboarding_id else None


def may_answer(view: Shown, person: str) -> bool:
    """Whether `PageRole.ANSWERING` holds for them."""
    escalated_to = (line.person for line in view.notifications if kind_of(line.stage) is NotificationType.UNANSWERED)
    return person == view.requester or person in escalated_to
