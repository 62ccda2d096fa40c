"""Handing over a link of one signer: by the database it leads to Core Signature once, the workflow knows who did it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from activities.notifications.links import SigningLinks
from activities.records.handed_links import OF_A_SIGNER_AT_MOST, VALID_FOR, HandedLink
from activities.records.store import Store
from starter.queries.commands import CommandRefused, NotRunning
from starter.queries.onboarding import PageLink
from workflows.kinds import Kind
from workflows.model.commands import LinkHandover
from workflows.model.receipts import Receipt
from workflows.model.rejections import Rejection

Send: TypeAlias = Callable[[], Awaitable[Receipt]]


@dataclass(frozen=True)
class LinkIssuer:
    store: Store
    links: SigningLinks

    async def issue(self, id: str, command: LinkHandover, op: str, now: datetime, send: Send) -> PageLink:
        """The link, the same for the same `op`; `send` sends the command. Raises as that does, `CommandRefused`, and
        `StoreFailure`.
        """
        workflow_id, person = Kind.REQUEST.workflow_id(id), command.signer
        serial = self.links.handed_serial(id, person, command.sender, op)
        expires_at = now.replace(microsecond=0) + VALID_FOR
        link = await self.store.handed_links.reserve(HandedLink(serial, workflow_id, person, expires_at), now)
        if link is None:
            raise CommandRefused(Rejection.TOO_MANY_LINKS.to_message(most=OF_A_SIGNER_AT_MOST, person=person))
        if link.is_over(now):
            raise CommandRefused(Rejection.LINK_OVER.to_message())
        try:
            # Also for a link that was kept before: who reserved it may have ended before it was sent.
            await send()
        except (CommandRefused, NotRunning):
            # Not where it is unknown whether the command was carried out: the same form shows this link then.
            await self.store.handed_links.withdraw(serial)
            raise
        address = self.links.handed_link(id, person, serial, (link.expires_at - VALID_FOR).date())
        return PageLink(id=id, person=person, link=address, until=link.expires_at)
