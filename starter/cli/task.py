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
        """Say that it is done, which ends it for everybody who was asked.

        Parameters
        ----------
        note
            What there is to say about it; it stands in the timeline.
        """
        await self.carry_out(id, lambda actor: Done(actor=actor, note=note), manner)

    async def waive(self, id: Id, /, *, reason: str, manner: CommonOptions = PLAIN) -> None:
        """Say that nobody needs to do it any more.

        Parameters
        ----------
        reason
            Why; it stands in the timeline.
        """
        await self.carry_out(id, lambda actor: Waiver(actor=actor, reason=reason), manner)

    async def block(self, id: Id, /, *, person: Asked, because: str, manner: CommonOptions = PLAIN) -> None:
        """Say that somebody cannot go on: the owner hears why, and reminders are paused.

        Parameters
        ----------
        because
            What stands in the way, at most 1,000 characters.
        """
        await self.carry_out(id, lambda _: Block(person=person, because=because), manner)

    async def unblock(self, id: Id, /, *, text: str = "", manner: CommonOptions = PLAIN) -> None:
        """Say that nothing stands in the way any more; reminders go on.

        Parameters
        ----------
        text
            What whoever could not go on is told, at most 1,000 characters.
        """
        await self.carry_out(id, lambda actor: Unblock(actor=actor, text=text), manner)

    async def ask(self, id: Id, /, *, person: Asked, text: str, manner: CommonOptions = PLAIN) -> None:
        """Ask the owner a question for somebody who was asked; reminders are paused until it is answered.

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
