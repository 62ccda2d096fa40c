"""What may be said to whatever is followed up and what it answers: handlers refuse or record, the story acts."""

from abc import abstractmethod
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.operations as operations
    import workflows.follow_up.recipients as recipients
    from workflows.follow_up.inputs import FollowUpInput, planning_of
    from workflows.follow_up.memory import Memory
    from workflows.follow_up.patience import PatientWorkflow
    from workflows.follow_up.receipts import Shown, receipt, recorded
    from workflows.model.operations import ID_AT_MOST, OTHER_CONTENT, Receipt, digest_of
    from workflows.model.planning import Planning
    from workflows.model.subject import Subject
    from workflows.model.texts import cleaned
    from workflows.model.wishes import (
        Answer,
        AnyWish,
        Cancellation,
        Delegation,
        Extension,
        NotNow,
        Pause,
        Question,
        ReminderNow,
        Resumption,
        Subscription,
    )
    from workflows.names import OPERATION, PLANNING

Wished = TypeVar("Wished", bound=AnyWish)


class FollowUpMessages(PatientWorkflow[Memory]):
    """Memory and messages of whatever is followed up; every update is answered at once, with a receipt."""

    def __init__(self, request: FollowUpInput, memory: Memory) -> None:
        super().__init__(memory)
        self._request = request

    @property
    @abstractmethod
    def subject(self) -> Subject:
        """What is followed up, with whoever is asked now."""

    @abstractmethod
    def show(self) -> Shown:
        """Everything there is to know of it: each kind answers the query in a shape of its own."""

    @workflow.query(name=OPERATION, description="What became of an update, by its id; nothing when it is forgotten")
    def operation(self, id: str) -> Receipt | None:
        """The receipt of an operation as it is now."""
        found = self._progress.operations.of(id)
        return receipt(self._progress, self.show(), found) if found else None

    @workflow.query(name=PLANNING, description="What the agenda is made from, for `request plan --against`")
    def planning(self) -> Planning:
        """The planner's input as it is now."""
        return planning_of(self._request, self.subject, self._progress, workflow.now())

    @workflow.update(description="End it. What people have done by then stays done")
    def cancel(self, wish: Cancellation) -> Receipt:
        """End it. What people have done by then stays done."""
        return self._take_down(operations.cancel, wish)

    @cancel.validator
    def _may_cancel(self, wish: Cancellation) -> None:
        self._allow(wish, operations.refuse_cancel(self._progress, wish))

    @workflow.update(description="Tell everyone whose turn it is")
    def remind(self, wish: ReminderNow) -> Receipt:
        """Tell everyone whose turn it is."""
        return self._take_down(operations.remind, wish)

    @remind.validator
    def _may_remind(self, wish: ReminderNow) -> None:
        self._allow(wish, operations.refuse_remind(self._progress, wish, workflow.now()))

    @workflow.update(
        description="Ask somebody else instead of a signer, unless whoever decides has something against it"
    )
    def delegate(self, wish: Delegation) -> Receipt:
        """Ask somebody else instead of whose turn it is, unless whoever decides has something against it."""
        return self._take_down(operations.delegate, wish)

    @delegate.validator
    def _may_delegate(self, wish: Delegation) -> None:
        self._allow(wish, operations.refuse_delegate(self._progress, wish, self.subject.requester))

    @workflow.update(description="Move the due date, and plan everything anew")
    def extend(self, wish: Extension) -> Receipt:
        """Move the due date, and plan everything anew."""
        return self._take_down(operations.extend, wish)

    @extend.validator
    def _may_extend(self, wish: Extension) -> None:
        self._allow(wish, operations.refuse_extend(self._progress, wish, workflow.now()))

    @workflow.update(description="Let the clocks stand and tell nobody anything")
    def pause(self, wish: Pause) -> Receipt:
        """Let the clocks stand and tell nobody anything."""
        return self._take_down(operations.pause, wish)

    @pause.validator
    def _may_pause(self, wish: Pause) -> None:
        self._allow(wish, operations.refuse_pause(self._progress, wish))

    @workflow.update(description="Let the clocks go on")
    def resume(self, wish: Resumption) -> Receipt:
        """Let the clocks go on."""
        return self._take_down(operations.resume, wish)

    @resume.validator
    def _may_resume(self, wish: Resumption) -> None:
        self._allow(wish, operations.refuse_resume(self._progress, wish))

    @workflow.update(description="Remind a signer at a time of their own")
    def snooze(self, wish: NotNow) -> Receipt:
        """Remind somebody at a time of their own."""
        return self._take_down(operations.snooze, wish)

    @snooze.validator
    def _may_snooze(self, wish: NotNow) -> None:
        self._allow(wish, operations.refuse_snooze(self._progress, self._request.policy, wish, workflow.now()))

    @workflow.update(description="Ask the requester something; the clocks stand until it is answered")
    def ask(self, wish: Question) -> Receipt:
        """Ask the requester something; the clocks stand until it is answered."""
        return self._take_down(operations.ask, wish)

    @ask.validator
    def _may_ask(self, wish: Question) -> None:
        self._allow(wish, operations.refuse_ask(self._progress, wish))

    @workflow.update(description="Answer the open question")
    def answer(self, wish: Answer) -> Receipt:
        """Answer the open question."""
        return self._take_down(operations.answer, wish)

    @answer.validator
    def _may_answer(self, wish: Answer) -> None:
        self._allow(wish, operations.refuse_answer(self._progress, wish))

    @workflow.update(description="Tell another workflow too how it ended")
    def subscribe(self, wish: Subscription) -> Receipt:
        """Tell another workflow too how it ended, at once if that has come."""
        return self._take_down(recipients.subscribe, wish)

    @subscribe.validator
    def _may_subscribe(self, wish: Subscription) -> None:
        self._allow(wish, recipients.refuse_subscribe(self._request, self._progress, wish))

    def _take_down(self, carry_out: Callable[[Memory, Wished, datetime], Memory], wish: Wished) -> Receipt:
        """Take a wish, once for each update id: the server forgets the ids at continue-as-new, we do not."""
        id, now = _update_id(), workflow.now()
        if self._progress.operations.of(id) is None:
            known = carry_out(self._progress, wish, now)
            self._progress = recorded(known, id, wish, now)
        taken = self.operation(id)
        if taken is None:
            raise RuntimeError("a ledger that forgets what it has just recorded")
        return taken

    def _allow(self, wish: AnyWish, refusal: str | None) -> None:
        """Raise what stands in the way; repeating what was taken is harmless, unless it is something else."""
        id = _update_id()
        known = self._progress.operations.of(id)
        if known is None:
            refusal = refusal or (None if len(id.encode()) <= ID_AT_MOST else f"{id[:ID_AT_MOST]}… is too long a name")
        else:
            refusal = None if known.digest == digest_of(wish) else OTHER_CONTENT
        if refusal is not None:
            raise ApplicationError(refusal, type="refused")

    def cancelled(self, reason: str) -> None:
        """A cancellation of the run is a wish like the update's; nobody has looked at its words."""
        wish = Cancellation(reason=cleaned(reason), actor="temporal")
        self._progress = operations.cancel(self._progress, wish, workflow.now())


def _update_id() -> str:
    info = workflow.current_update_info()
    if info is None:
        raise RuntimeError("wishes are made by updates only")
    return info.id
