"""`countersign campaign …`: what an owner does to a living campaign."""

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from starter.boot import clients
from starter.boot.context import Context
from starter.boot.startup import ready
from starter.cli.arguments import Id
from starter.cli.operations import PLAIN, CommonOptions, OperationWords, due_of, is_due
from starter.queries.lookup import show_as
from workflows.kinds import Kind
from workflows.model.commands import AnyCommand, Exemption, Extension, Retry
from workflows.model.views import CampaignShow


class _CampaignWords(OperationWords):
    async def exempt(self, id: Id, /, *, person: str, reason: str, manner: CommonOptions = PLAIN) -> None:
        """Record that somebody of the audience need not acknowledge; their request ends.

        Parameters
        ----------
        person
            A member, by the id that the report has or their e-mail address.
        reason
            Why; it stands in the record.
        """
        await self.carry_out(id, lambda actor: Exemption(actor=actor, person=person, reason=reason), manner)

    async def extend(
        self,
        id: Id,
        /,
        *,
        due: Annotated[str, Parameter(validator=is_due)],
        person: str = "",
        reason: str = "",
        manner: CommonOptions = PLAIN,
    ) -> None:
        """Give everybody who is open until a later day, or one of them; their reminders are planned anew.

        Parameters
        ----------
        due
            A day such as 2026-12-11, later than the present one; it may be counted from now: +7d, tomorrow, friday.
        person
            Only this member, by the id that the report has or their e-mail address; the campaign stays open for them.
        reason
            Why; it stands in the timeline and in the record.
        """
        if not person:
            await super().extend(id, due=due, reason=reason, manner=manner)
            return
        until = due_of(due, datetime.now(UTC))
        wish = Extension(actor="", due=until, person=person, reason=reason)
        await self.carry_out(id, lambda actor: wish.replace(actor=actor), manner)

    async def cancel(self, id: Id, /, *, reason: str, manner: CommonOptions = PLAIN) -> None:
        """End it: nobody more is asked, what is open ends, and the record says how everybody stood.

        Parameters
        ----------
        reason
            Why; it stands in the timeline and in the record.
        """
        await super().cancel(id, reason=reason, manner=manner)

    async def retry(self, id: Id, /, *, failed: bool = False, person: str = "", manner: CommonOptions = PLAIN) -> None:
        """Ask once more those who could not be asked: rows that are right by now, requests that have failed.

        Parameters
        ----------
        failed
            All of them; nobody else is told anything.
        person
            Only this one of them, by the id that the report has or their e-mail address.
        """
        await self.carry_out(id, lambda actor: Retry(actor=actor, person=person), manner)

    async def _with_ids(self, context: Context, id: str, wish: AnyCommand) -> AnyCommand:
        """The wish with a member's id in the place of their address; refuses whom the audience does not have."""
        person = getattr(wish, "person", "")
        if not person:
            return wish
        from starter.queries.campaign_names import member_of  # noqa: PLC0415  hardly any word names a member

        settings, shown = ready(), await show_as(CampaignShow, context, id)
        directory = clients.directory(settings, context.store) if settings.people else None
        return wish.replace(person=await member_of(context.store, shown, person, directory))


_WORDS = _CampaignWords(Kind.CAMPAIGN)
exempt, retry, extend, cancel = _WORDS.exempt, _WORDS.retry, _WORDS.extend, _WORDS.cancel
replay = _WORDS.replay
