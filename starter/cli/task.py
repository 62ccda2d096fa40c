"""`countersign task …`: further commands for an open task."""

from typing import Annotated

from cyclopts import Parameter

from starter.cli.arguments import Id
from starter.cli.operations import PLAIN, CommonOptions, OperationWords
from workflows.kinds import Kind
from workflows.model.commands import Block, Done, Question, Unblock, Waiver

Asked = Annotated[str, Parameter(help="Who was asked: an id of the directory.")]


class _TaskWords(OperationWords):
    async def done(self, id: Id, /, *, note: str = "", manner: CommonOptions = PLAIN) -> None:
        """Mark it as done, which ends it for everybody who was asked.

        Parameters
        ----------
        note
            A note for the timeline.
        """
        await self.carry_out(id, lambda actor: Done(actor=actor, note=note), manner)

    async def waive(self, id: Id, /, *, reason: str, manner: CommonOptions = PLAIN) -> None:
        """Say that nobody needs to do it any more.

        Parameters
        ----------
        reason
            Why; recorded in the timeline.
        """
        await self.carry_out(id, lambda actor: Waiver(actor=actor, reason=reason), manner)

    async def block(self, id: Id, /, *, person: Asked, because: str, manner: CommonOptions = PLAIN) -> None:
        """Say that an assignee cannot continue: the owner is told why, and reminders are paused.

        Parameters
        ----------
        because
            What stands in the way, at most 1,000 characters.
        """
        await self.carry_out(id, lambda _: Block(person=person, because=because), manner)

    async def unblock(self, id: Id, /, *, text: str = "", manner: CommonOptions = PLAIN) -> None:
        """Say that the obstacle is removed; reminders resume.

        Parameters
        ----------
        text
            A text for the person who could not continue, at most 1,000 characters.
        """
        await self.carry_out(id, lambda actor: Unblock(actor=actor, text=text), manner)

    async def ask(self, id: Id, /, *, person: Asked, text: str, manner: CommonOptions = PLAIN) -> None:
        """Ask the owner a question for an assignee; reminders are paused until it is answered.

        Parameters
        ----------
        text
            What they would like to know, at most 1,000 characters.
        """
        await self.carry_out(id, lambda _: Question(person=person, text=text), manner)


_WORDS = _TaskWords(Kind.TASK)
done, waive, block, unblock, ask = _WORDS.done, _WORDS.waive, _WORDS.block, _WORDS.unblock, _WORDS.ask
remind, delegate, extend = _WORDS.remind, _WORDS.delegate, _WORDS.extend
pause, resume, answer, cancel = _WORDS.pause, _WORDS.resume, _WORDS.answer, _WORDS.cancel
replay, take = _WORDS.replay, _WORDS.take
