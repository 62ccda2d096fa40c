"""The base of all kinds: commands as updates with receipts, the ending and its hand-off, search attributes."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from functools import partial, wraps
from typing import Any, Generic, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.workflow import UpdateMethodMultiParam

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.commands as commands
    import workflows.follow_up.notifications as notifications
    import workflows.follow_up.record as record
    from workflows.follow_up.calls import CallFailure, Calls
    from workflows.follow_up.command_log import CommandLog
    from workflows.follow_up.commands import attributed, receipt, recorded, refused, update_id
    from workflows.follow_up.input import FollowUpInput
    from workflows.follow_up.state import State
    from workflows.follow_up.view import details, publish
    from workflows.model.commands import AnyCommand, Cancellation, Replay, Subscription, Take, Unsubscription
    from workflows.model.hand_off import AnyEnded, ImmediateHandOff
    from workflows.model.messages import Message
    from workflows.model.receipts import Receipt
    from workflows.model.subject import Subject
    from workflows.model.views import Shown
    from workflows.names import CANCEL, HAND_OFF_NOW, OPERATION, REPLAY, SUBSCRIBE, TAKE, UNSUBSCRIBE

OneCommand = TypeVar("OneCommand", bound=AnyCommand)
AnySubject = TypeVar("AnySubject", bound=Subject)


Owner = TypeVar("Owner", bound="LifecycleWorkflow[Any]")


def command_update(
    name: str, description: str
) -> Callable[[Callable[[Owner, OneCommand], Receipt]], UpdateMethodMultiParam[[Owner, OneCommand], Receipt]]:
    """An update handler whose command the workflow's `refusal` decides about first."""

    def decorate(
        handler: Callable[[Owner, OneCommand], Receipt],
    ) -> UpdateMethodMultiParam[[Owner, OneCommand], Receipt]:
        @wraps(handler)
        def validate(self: Owner, command: OneCommand) -> None:
            allow(self.state.commands, command, self.refusal(command))

        update = workflow.update(name=name, description=description)(handler)
        update.validator(validate)
        return update

    return decorate


def allow(log: CommandLog, command: AnyCommand, refusal: Message | None) -> None:
    """Raise if refused; a repetition of an accepted command passes, unless its content differs."""
    if (rejection := refused(log, update_id(), command, refusal)) is not None:
        raise ApplicationError(rejection.english, rejection, type="refused")


class LifecycleWorkflow(ABC, Generic[State]):
    """Holds the state; `calls` makes its activity calls and waits."""

    def __init__(self, request: FollowUpInput, state: State) -> None:
        self.request = request
        self.state = state
        self.calls = Calls(self)

    @property
    @abstractmethod
    def subject(self) -> Subject:
        """The subject with its present participants."""

    @abstractmethod
    def show(self) -> Shown:
        """The view, as the query `show` answers it."""

    @abstractmethod
    def settled(self) -> AnyEnded:
        """The facts to hand off."""

    @abstractmethod
    def build_view(self, state: State, now: datetime) -> Shown:
        """The view of this state at an instant."""

    @workflow.query(name=OPERATION, description="What became of an update, by its id; nothing when it is forgotten")
    def operation(self, id: str) -> Receipt | None:
        operation = self.state.commands.find_operation(id)
        return receipt(self.state, self.show(), operation) if operation else None

    @command_update(name=CANCEL, description="End it. What people have done by then stays done")
    def cancel(self, command: Cancellation) -> Receipt:
        return self.accept(commands.cancel, command)

    @command_update(name=TAKE, description="One of the group that asks sees to it, and hears of it instead of all")
    def take(self, command: Take) -> Receipt:
        return self.accept(commands.take, command)

    @command_update(name=SUBSCRIBE, description="Tell another workflow too how it ended")
    def subscribe(self, command: Subscription) -> Receipt:
        """Signal another workflow at the end, or at once after it."""
        return self.accept(notifications.subscribe, command)

    @command_update(
        name=UNSUBSCRIBE, description="Do not tell a workflow how it ended after all, also one that the file names"
    )
    def unsubscribe(self, command: Unsubscription) -> Receipt:
        return self.accept(partial(notifications.unsubscribe, self.request), command)

    @command_update(
        name=REPLAY, description="Hand off to a target once more: one that is dead, or with `again` one that was told"
    )
    def replay(self, command: Replay) -> Receipt:
        return self.accept(record.ask, command)

    @workflow.signal(name=HAND_OFF_NOW, description="Try targets at once that would be tried later")
    def hand_off_now(self, hand_off_request: ImmediateHandOff) -> None:
        outbox = self.state.outbox.hurried(hand_off_request.target, workflow.now())
        if outbox is not self.state.outbox:
            self.state = self.state.replace(outbox=outbox)

    def heard(self, subject: AnySubject) -> AnySubject:
        """The subject with who of the group that asks has taken it on."""
        taker = self.state.lifecycle.taken_by
        return subject.replace(taken_by=taker) if taker else subject

    def refusal(self, command: AnyCommand) -> Message | None:
        """Why a command is refused, else None; kinds add their own commands."""
        match command:
            case Cancellation():
                return commands.refuse_cancel(self.state, command)
            case Take():
                return commands.refuse_take(self.state, command, self.subject)
            case Unsubscription():
                return notifications.refuse_unsubscribe(self.request, self.state, command)
            case Subscription():
                return notifications.refuse_subscribe(self.request, self.state, command)
            case Replay():
                return record.refuse(self.state, command)
        raise TypeError(f"nothing decides about {type(command).__name__}")

    def accept(self, carry_out: Callable[[State, OneCommand, datetime], State], command: OneCommand) -> Receipt:
        """Record a command's effect on the state, once per update id: the server forgets the ids at continue-as-new."""
        id, now = update_id(), workflow.now()
        if self.state.commands.find_operation(id) is None:
            changed = attributed(carry_out(self.state, command, now), self.state, command)
            self.state = recorded(changed, id, command, now)
        accepted = self.operation(id)
        if accepted is None:
            raise RuntimeError("a command log that forgets what it has just recorded")
        return accepted

    def publish(self) -> None:
        """Bring search attributes and Web UI details up to date."""
        view = self.build_view(self.state, workflow.now())
        publish(self.state, view, self.details(view))

    def details(self, view: Shown) -> str:
        return details(view)

    def failed(self, failure: CallFailure) -> None:
        """End it: the failure cannot be fixed."""
        self.state = self.state.fail(failure.code, failure.says, workflow.now())

    def carried_over(self) -> FollowUpInput:
        return self.request.replace(carried=self.state.carried_over())

    def cancelled(self, reason: str) -> None:
        """A cancellation of the run is handled like the update; its text was not checked."""
        command = Cancellation.read(reason)
        self.state = attributed(commands.cancel(self.state, command, workflow.now()), self.state, command)
