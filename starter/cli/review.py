"""`countersign request review`, `revise` and `exempt`: the review of a document before it is sent."""

import asyncio
import hashlib
from pathlib import Path

from activities.files.pdf import LocalDocuments
from activities.people.directory import askers
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli.arguments import Id
from starter.cli.operations import PLAIN, CommonOptions, OperationWords
from starter.errors import Refusal
from starter.queries import commands, lookup
from starter.temporal.connection import Context
from workflows.kinds import Kind
from workflows.model.commands import Exemption, ReviewAnswer, Revision


class _ReviewWords(OperationWords):
    async def review(
        self, id: Id, /, *, approve: bool = False, changes: str = "", manner: CommonOptions = PLAIN
    ) -> None:
        """Answer as a reviewer (--as): approve the document, or ask for changes before it is sent.

        Parameters
        ----------
        approve
            It may be sent as it is.
        changes
            What to change, at most 1,000 characters, for the requester.
        """
        await self.carry_out(id, lambda actor: ReviewAnswer(actor=actor, approve=approve, changes=changes), manner)

    async def revise(self, id: Id, /, *, file: Path, changes: str = "", manner: CommonOptions = PLAIN) -> None:
        """Give the next version for the reviewers, after one has asked for changes.

        Parameters
        ----------
        file
            The new version, a PDF.
        changes
            What has changed, at most 1,000 characters, for the reviewers.
        """
        content = await asyncio.to_thread(_read, file, ready().signature.max_upload_mb)
        sha256 = hashlib.sha256(content).hexdigest()
        command = Revision(actor="", sha256=sha256, size=len(content), file_name=file.name, changes=changes)

        async def stored(context: Context) -> None:
            await context.store.files.put(content)

        await self.carry_out(id, lambda actor: command.replace(actor=actor), manner, first=stored)

    async def exempt(self, id: Id, /, *, person: str, reason: str, manner: CommonOptions = PLAIN) -> None:
        """Exempt a reviewer, so that the others decide. The requester cannot do this.

        Parameters
        ----------
        person
            The reviewer: an id of the directory.
        reason
            Why; recorded in the timeline.
        """

        async def somebody_else(context: Context) -> None:
            settings = ready()
            if settings.people is not None:
                shown = await lookup.show_of(self.kind, context, id)
                directory = clients.directory(settings, context.store)
                commands.refuse_own(settings.claimed(manner.as_), await askers(directory, shown.requester))

        command = Exemption(actor="", person=person, reason=reason)
        await self.carry_out(id, lambda actor: command.replace(actor=actor), manner, first=somebody_else)


def _read(file: Path, max_megabytes: int) -> bytes:
    try:
        return LocalDocuments(max_megabytes).read(file.absolute().parent, file.name)
    except ValueError as fault:
        raise Refusal(f"{file}: {fault}") from None


_WORDS = _ReviewWords(Kind.REQUEST)
review, revise, exempt = _WORDS.review, _WORDS.revise, _WORDS.exempt
