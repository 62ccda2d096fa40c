"""How a story sends commands to the workflow that it is about: once that is at rest."""

import uuid
from abc import ABC, abstractmethod
from typing import Any

from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from workflows.model.commands import UPDATES, AnyCommand
from workflows.model.receipts import Receipt


class CommandStory(ABC):
    """What the stories of onboardings and of campaigns have in common."""

    handle: WorkflowHandle[Any, Any]

    @abstractmethod
    async def at_rest(self) -> None:
        """Until neither it nor anything it has started is at work."""

    async def send_command(self, command: AnyCommand, op: str | None = None) -> Receipt:
        """Have it take a command."""
        await self.at_rest()
        update = UPDATES[type(command)]
        receipt: Receipt = await self.handle.execute_update(
            update, command, id=op or uuid.uuid4().hex, result_type=Receipt
        )
        return receipt

    async def read_refusal(self, command: AnyCommand) -> str:
        """Why it does not take a command."""
        try:
            await self.send_command(command)
        except WorkflowUpdateFailedError as refusal:
            return str(refusal.cause).removeprefix("refused: ")
        raise AssertionError("was taken")
