"""What may be said to a living request and what it answers: handlers refuse or record, the story acts."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, NoReturn, TypeAlias, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.operations as operations
    from workflows.follow_up.patience import PatientWorkflow
    from workflows.follow_up.trouble import Trouble
    from workflows.model.entries import Reassignment
    from workflows.model.planning import Planning
    from workflows.model.provider import ProviderEvent
    from workflows.model.request import Brief
    from workflows.model.views import RequestShow
    from workflows.model.wishes import (
        Answer,
        Cancellation,
        Delegation,
        Extension,
        NotNow,
        Pause,
        Question,
        ReminderNow,
        Resumption,
    )
    from workflows.names import PLANNING, PROVIDER_EVENT, SHOW
    from workflows.signature.inputs import SignatureRequest, planning_of
    from workflows.signature.legibility import publish
    from workflows.signature.progress import Progress
    from workflows.signature.show import show

AnyWish = TypeVar("AnyWish")
Operation: TypeAlias = Callable[[Progress, AnyWish, datetime], Progress]
_UPDATES_REMEMBERED: Final = 100
"""Enough to recognise a change that is repeated because its answer was lost."""


class RequestMessages(PatientWorkflow[Progress]):
    """State and messages of a signature request; every update answers what `request show` would say afterwards."""

    def __init__(self, request: SignatureRequest) -> None:
        super().__init__(request.carried or Progress.begin(request.brief, workflow.now()))
        self._request = request
        self._refusals: dict[Reassignment, str] = {}

    @property
    def _brief(self) -> Brief:
        """The request with the signers it has now."""
        return self._request.brief.replace(signers=self._progress.signatures.places)

    @workflow.signal(name=PROVIDER_EVENT, description="Core Signature says that something happened; it is then read")
    def provider_event(self, event: ProviderEvent) -> None:
        """Remember the hint; what really happened is read from the document."""
        self._progress = self._progress.notify_of(event)

    @workflow.query(name=SHOW, description="Waiting for whom, until when, what happens next, and all that was done")
    def show(self) -> RequestShow:
        """The answer of `request show`."""
        return show(self._request, self._progress, workflow.now())

    @workflow.query(name=PLANNING, description="What the agenda is made from, for `request plan --against`")
    def planning(self) -> Planning:
        """The planner's input as it is now."""
        return planning_of(self._request.replace(brief=self._brief), self._progress, workflow.now())

    @workflow.update
    async def cancel(self, wish: Cancellation) -> RequestShow:
        """End the request; answers when it has ended. What is signed by then stays signed."""
        self._carry_out(operations.cancel, wish)
        await workflow.wait_condition(lambda: self._progress.recorded)
        return self.show()

    @cancel.validator
    def _may_cancel(self, wish: Cancellation) -> None:
        self._allow(operations.refuse_cancel(self._progress, wish))

    @workflow.update
    async def remind(self, wish: ReminderNow) -> RequestShow:
        """Tell everyone whose turn it is; answers when they were told."""
        self._carry_out(operations.remind, wish)
        await workflow.wait_condition(lambda: self._progress.reminder is None)
        return self.show()

    @remind.validator
    def _may_remind(self, wish: ReminderNow) -> None:
        self._allow(operations.refuse_remind(self._progress, wish, workflow.now()))

    @workflow.update
    async def delegate(self, wish: Delegation) -> RequestShow:
        """Ask somebody else instead of a signer; answers when Core Signature has done or refused it."""
        wanted = operations.reassignment_of(wish)
        self._carry_out(operations.delegate, wish)
        await workflow.wait_condition(lambda: wanted not in self._progress.reassigning)
        if self._progress.signatures.of(wish.to) is None:
            _refuse(self._refusals.get(wanted) or self._why_not_handed_over())
        return self.show()

    @delegate.validator
    def _may_delegate(self, wish: Delegation) -> None:
        self._allow(operations.refuse_delegate(self._progress, wish, self._brief.requester))

    @workflow.update
    async def extend(self, wish: Extension) -> RequestShow:
        """Move the due date; answers when everything was planned anew."""
        self._carry_out(operations.extend, wish)
        await workflow.wait_condition(self._is_planned)
        return self.show()

    @extend.validator
    def _may_extend(self, wish: Extension) -> None:
        self._allow(operations.refuse_extend(self._progress, wish, workflow.now()))

    @workflow.update
    async def pause(self, wish: Pause) -> RequestShow:
        """Let the clocks stand and tell nobody anything."""
        self._carry_out(operations.pause, wish)
        return self.show()

    @pause.validator
    def _may_pause(self, wish: Pause) -> None:
        self._allow(operations.refuse_pause(self._progress, wish))

    @workflow.update
    async def resume(self, wish: Resumption) -> RequestShow:
        """Let the clocks go on."""
        self._carry_out(operations.resume, wish)
        return self.show()

    @resume.validator
    def _may_resume(self, wish: Resumption) -> None:
        self._allow(operations.refuse_resume(self._progress, wish))

    @workflow.update
    async def snooze(self, wish: NotNow) -> RequestShow:
        """Remind a signer at a time of their own."""
        self._carry_out(operations.snooze, wish)
        return self.show()

    @snooze.validator
    def _may_snooze(self, wish: NotNow) -> None:
        self._allow(operations.refuse_snooze(self._progress, self._request.policy, wish, workflow.now()))

    @workflow.update
    async def ask(self, wish: Question) -> RequestShow:
        """Ask the requester something; the clocks stand until it is answered."""
        self._carry_out(operations.ask, wish)
        return self.show()

    @ask.validator
    def _may_ask(self, wish: Question) -> None:
        self._allow(operations.refuse_ask(self._progress, wish))

    @workflow.update
    async def answer(self, wish: Answer) -> RequestShow:
        """Answer the open question."""
        self._carry_out(operations.answer, wish)
        return self.show()

    @answer.validator
    def _may_answer(self, wish: Answer) -> None:
        self._allow(operations.refuse_answer(self._progress, wish))

    def _is_planned(self) -> bool:
        """Whether there is a plan, or nobody to plan for: before everyone is asked, and after the end."""
        progress = self._progress
        return progress.agenda is not None or progress.sent_at is None or progress.status.ended

    def _carry_out(self, operation: Operation[AnyWish], wish: AnyWish) -> None:
        """Do what is wished, once for each update id: the server forgets the ids at continue-as-new, we do not."""
        if not self._is_repeated():
            known = operation(self._progress, wish, workflow.now())
            self._progress = known.replace(updates=(*known.updates, _update_id())[-_UPDATES_REMEMBERED:])

    def _allow(self, refusal: str | None) -> None:
        """Raise the refusal, unless the same update was carried out before: repeating it is harmless."""
        if refusal is not None and not self._is_repeated():
            _refuse(refusal)

    def _is_repeated(self) -> bool:
        return _update_id() in self._progress.updates

    def _why_not_handed_over(self) -> str:
        """For whoever repeats a delegation in a later run, which knows the refusal from the timeline alone."""
        if self._progress.status.ended:
            return "too late: the request ended first"
        return "not handed over: the timeline says why"

    def cancelled(self, reason: str) -> None:
        """A cancellation of the run is a wish like the update's."""
        wish = Cancellation(reason=reason, actor="temporal")
        self._progress = operations.cancel(self._progress, wish, workflow.now())

    def publish(self) -> None:
        """Search attributes and the Web UI's details."""
        publish(self._progress, self.show())

    def failed(self, trouble: Trouble) -> None:
        """End the request: nobody can fix this."""
        self._progress = self._progress.fail(trouble.code, trouble.says, workflow.now())


def _update_id() -> str:
    info = workflow.current_update_info()
    if info is None:
        raise RuntimeError("wishes are made by updates only")
    return info.id


def _refuse(why: str) -> NoReturn:
    raise ApplicationError(why, type="refused")
