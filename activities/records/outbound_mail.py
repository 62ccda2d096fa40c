"""State of emails and SMS, written before they are sent."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Self

from pydantic import AwareDatetime
from sqlalchemy import Connection, select

from activities.records.database import Database, replace
from activities.records.schema import OUTBOUND_MAIL
from workflows.model.base import Model
from workflows.model.notifications import Channel

AGAIN_AFTER: Final = (60.0, 900.0)
"""Seconds before a message with an unknown result is sent again: longer than an attempt, and in total than usual
outages of a gateway.
"""
TRIES_AT_MOST: Final = len(AGAIN_AFTER) + 1
KEPT: Final = timedelta(days=400)
"""After the last attempt: longer than a run lasts that could be reset and would send it again."""
DROPPED_AT_MOST: Final = 1_000
"""Rows removed by one statement."""
_ROW: Final = OUTBOUND_MAIL.c


class OutboundMail(Model):
    """One email or SMS: attempts, time of the last, channel, and whether it was surely accepted. `job` is cloud
    messaging's id.
    """

    tries: int = 0
    at: AwareDatetime
    channel: Channel
    taken: bool = False
    job: str | None = None

    @property
    def given_up(self) -> bool:
        """Whether all allowed attempts were used."""
        return not self.taken and self.tries >= TRIES_AT_MOST

    def is_due(self, now: datetime) -> bool:
        return not self.taken and not self.given_up and not self.wait(now)

    def wait(self, now: datetime) -> float:
        """Seconds until it may be sent again; 0 for now."""
        if not self.tries:
            return 0.0
        remaining_seconds = self.pause - (now - self.at).total_seconds()
        return min(self.pause, max(0.0, remaining_seconds))

    @property
    def pause(self) -> float:
        """Seconds between the last attempt and the next."""
        return AGAIN_AFTER[min(self.tries, len(AGAIN_AFTER)) - 1]

    def count_attempt(self, now: datetime) -> Self:
        """The state before another attempt."""
        return self.replace(tries=self.tries + 1, at=now)


class StoredOutboundMail:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, references: Sequence[str], channel: Channel, now: datetime) -> dict[str, OutboundMail]:
        """Count an attempt of each that is due, for no other worker; how all were before."""

        def change(connection: Connection) -> dict[str, OutboundMail]:
            query = select(OUTBOUND_MAIL).where(_ROW.reference.in_(references))
            mail_by_reference = {row.reference: OutboundMail(**row._asdict()) for row in connection.execute(query)}
            former_mails = {
                reference: mail_by_reference.get(reference) or OutboundMail(at=now, channel=channel)
                for reference in references
            }
            _keep(
                connection,
                {reference: mail.count_attempt(now) for reference, mail in former_mails.items() if mail.is_due(now)},
            )
            return former_mails

        return await self._database.write(change)

    async def note(self, mails: Mapping[str, OutboundMail]) -> None:
        """What became of them."""
        await self._database.write(lambda connection: _keep(connection, mails))

    async def drop_old(self, now: datetime) -> int:
        """Remove some that nobody can send again; how many."""
        old_mails = select(_ROW.reference).where(_ROW.at < now - KEPT)
        return await self._database.drop(OUTBOUND_MAIL, old_mails.limit(DROPPED_AT_MOST))


def _keep(connection: Connection, mails: Mapping[str, OutboundMail]) -> None:
    for reference, mail in mails.items():
        replace(connection, OUTBOUND_MAIL, {_ROW.reference: reference}, **mail.model_dump())
