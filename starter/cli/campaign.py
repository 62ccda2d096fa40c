"""`countersign campaign …`: what an owner does to a living campaign."""

from typing import Annotated

from cyclopts import Parameter

from starter.boot.context import opened
from starter.boot.startup import ready
from starter.cli.arguments import Id
from starter.cli.operations import PLAIN, CommonOptions, OperationWords, is_due
from starter.queries.filters import id_of
from workflows.kinds import Kind
from workflows.model.commands import Exemption, Retry


class _CampaignWords(OperationWords):
    async def exempt(self, id: Id, /, *, person: str, reason: str, manner: CommonOptions = PLAIN) -> None:
        """Record that somebody of the audience need not acknowledge; their request ends.

        Parameters
        ----------
        person
            An id of the audience: of the directory, or p-… as the report has it, or the e-mail address of the table.
        reason
            Why; it stands in the record.
        """
        if "@" in person:
            from starter.queries.campaign_names import person_of  # noqa: PLC0415  only an address is looked up

            async with opened(ready()) as context:
                person = await person_of(context.store, id_of(Kind.CAMPAIGN, id), person)
        await self.carry_out(id, lambda actor: Exemption(actor=actor, person=person, reason=reason), manner)

    async def extend(
        self,
        id: Id,
        /,
        *,
        due: Annotated[str, Parameter(validator=is_due)],
        reason: str = "",
        manner: CommonOptions = PLAIN,
    ) -> None:
        """Give everybody who is open until a later day; their reminders are planned anew.

        Parameters
        ----------
        due
            A day such as 2026-12-11, later than the present one; it may be counted from now: +7d, tomorrow, friday.
        reason
            Why; it stands in the timeline and in the record.
        """
        await super().extend(id, due=due, reason=reason, manner=manner)

    async def cancel(self, id: Id, /, *, reason: str, manner: CommonOptions = PLAIN) -> None:
        """End it: nobody more is asked, what is open ends, and the record says how everybody stood.

        Parameters
        ----------
        reason
            Why; it stands in the timeline and in the record.
        """
        await super().cancel(id, reason=reason, manner=manner)

    async def retry(
        self, id: Id, /, *, failed: Annotated[bool, Parameter(required=True)], manner: CommonOptions = PLAIN
    ) -> None:
        """Ask once more those who could not be asked: rows that are right by now, requests that have failed.

        Parameters
        ----------
        failed
            Required: confirms that only those are asked; nobody else is told anything.
        """
        await self.carry_out(id, lambda actor: Retry(actor=actor), manner)


_WORDS = _CampaignWords(Kind.CAMPAIGN)
exempt, retry, extend, cancel = _WORDS.exempt, _WORDS.retry, _WORDS.extend, _WORDS.cancel
replay = _WORDS.replay
