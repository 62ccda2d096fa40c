"""`countersign request review` and `revise`: the review of a document before it is sent."""

import asyncio
import hashlib
from pathlib import Path

from activities.files.pdf import LocalDocuments
from starter.boot.startup import ready
from starter.cli.arguments import Id
from starter.cli.operations import PLAIN, CommonOptions, OperationWords
from starter.errors import Refusal
from starter.temporal.connection import Context
from workflows.kinds import Kind
from workflows.model.commands import ReviewAnswer, Revision


class _ReviewWords(OperationWords):
    async def review(
        self, id: Id, /, *, approve: bool = False, changes: str = "", options: CommonOptions = PLAIN
    ) -> None:
        """Answer as a reviewer (--as): approve the document, or ask for changes before it is sent.

        Parameters
        ----------
        approve
            It may be sent as it is.
        changes
            What to change, at most 1,000 characters, for the requester.
        """
        await self.carry_out(id, lambda actor: ReviewAnswer(actor=actor, approve=approve, changes=changes), options)

    async def revise(self, id: Id, /, *, file: Path, changes: str = "", options: CommonOptions = PLAIN) -> None:
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

        await self.carry_out(id, lambda actor: command.replace(actor=actor), options, first=stored)


def _read(file: Path, max_megabytes: int) -> bytes:
    try:
        return LocalDocuments(max_megabytes).read(file.absolute().parent, file.name)
    except ValueError as fault:
        raise Refusal(f"{file}: {fault}") from None


_WORDS = _ReviewWords(Kind.REQUEST)
review, revise = _WORDS.review, _WORDS.revise
