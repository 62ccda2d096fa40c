"""Handing over a link of one signer: by the database it leads to Core Signature once, the workflow knows who did it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from activities.notifications.links import SigningLinks
from activities.records.handed_links import OF_A_SIGNER_AT_MOST, VALID_FOR, HandedLink
from activities.records.store import Store
from starter.queries.commands import CommandRefused
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
        `StoreFailure` before anything is sent.
        """
        workflow_id, person = Kind.REQUEST.workflow_id(id), command.signer
        serial = self.links.handed_serial(id, person, command.sender, op)
        link = await self.store.handed_links.read(serial)
        if link is None:
            if await self.store.handed_links.count(workflow_id, person, now) >= OF_A_SIGNER_AT_MOST:
                raise CommandRefused(Rejection.TOO_MANY_LINKS.to_message(most=OF_A_SIGNER_AT_MOST, person=person))
            await send()
            expires_at = now.replace(microsecond=0) + VALID_FOR
            link = await self.store.handed_links.keep(HandedLink(serial, workflow_id, person, expires_at))
        if link.is_over(now):
            raise CommandRefused(Rejection.LINK_OVER.to_message())
        address = self.links.handed_link(id, person, serial, (link.expires_at - VALID_FOR).date())
        return PageLink(id=id, person=person, link=address, until=link.expires_at)
