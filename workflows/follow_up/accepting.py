"""How a wish is taken by an update: refused in words, or recorded once and answered with a receipt at once."""

from abc import abstractmethod
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from workflows.follow_up.operation_ledger import CommandState
    from workflows.follow_up.patience import RetryingWorkflow
    from workflows.follow_up.receipts import refused, update_id
    from workflows.model.operations import Operation, Receipt
    from workflows.model.wishes import AnyCommand
    from workflows.names import OPERATION

AcceptedState = TypeVar("AcceptedState", bound=CommandState)


class AcceptsCommands(RetryingWorkflow[AcceptedState]):
    """Handlers record what is wished, the story carries it out; what became of it can be asked for."""

    @abstractmethod
    def receipt(self, operation: Operation) -> Receipt:
        """How an operation stands now."""

    @workflow.query(name=OPERATION, description="What became of an update, by its id; nothing when it is forgotten")
    def operation(self, id: str) -> Receipt | None:
        """The receipt of an operation as it is now."""
        found = self._progress.operations.of(id)
        return self.receipt(found) if found else None

    def allow(self, wish: AnyCommand, refusal: str | None) -> None:
        """Raise what stands in the way; repeating what was accepted is harmless, unless it is something else."""
        if (says := refused(self._progress.operations, update_id(), wish, refusal)) is not None:
            raise ApplicationError(says, type="refused")

    def accept_once(self, remember: Callable[[str, datetime], AcceptedState]) -> Receipt:
        """Record a wish, once for each update id: the server forgets the ids at continue-as-new, we do not."""
        id = update_id()
        if self._progress.operations.of(id) is None:
            self._progress = remember(id, workflow.now())
        accepted = self.operation(id)
        if accepted is None:
            raise RuntimeError("a ledger that forgets what it has just recorded")
        return accepted
