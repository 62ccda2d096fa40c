"""Web push: what browsers behind a link subscribed with, and the keys that our pushes are signed with. A subscription
of a person is a device of theirs (devices.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, exists, or_, select

from activities.records.database import Database, insert_new, replace
from activities.records.devices import WebSubscription, hash_address
from activities.records.schema import LINK_SUBSCRIPTIONS, RECORDS, WEB_PUSH_KEYS

OF_A_LINK_AT_MOST: Final = 5
"""Subscriptions of one person in one follow-up; the one renewed longest ago goes."""
READ_AT_MOST: Final = 5_000
"""Subscriptions of one follow-up that are read."""
KEYS_AT_MOST: Final = 100
"""Key pairs that are read, the newest first."""
KEPT_AFTER_END: Final = timedelta(days=1)
"""So that the browser hears of the end."""
KEPT_UNSEEN: Final = timedelta(days=365)
DROPPED_AT_MOST: Final = 500
_LINKED: Final = LINK_SUBSCRIPTIONS.c
_KEY: Final = WEB_PUSH_KEYS.c


@dataclass(frozen=True)
class WebPushKey:
    """A P-256 key pair: the public key as browsers want it (base64url), the private one in PEM, which is a secret."""

    public: str
    private: str


class LinkSubscriptions:
    """Subscriptions by follow-up and person. A browser is one person's in a follow-up, the last one's. Raises
    `DatabaseAway`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def subscribe(self, workflow_id: str, person: str, subscription: WebSubscription, now: datetime) -> None:
        key = {_LINKED.workflow_id: workflow_id, _LINKED.endpoint_sha256: hash_address(subscription.endpoint)}

        def change(connection: Connection) -> None:
            replace(connection, LINK_SUBSCRIPTIONS, key, person=person, seen_at=now, **subscription._asdict())
            of_person = _LINKED.workflow_id == workflow_id, _LINKED.person == person
            newest_first = select(_LINKED.endpoint_sha256).where(*of_person).order_by(_LINKED.seen_at.desc())
            surplus = connection.execute(newest_first.offset(OF_A_LINK_AT_MOST).limit(DROPPED_AT_MOST)).scalars().all()
            connection.execute(LINK_SUBSCRIPTIONS.delete().where(*of_person, _LINKED.endpoint_sha256.in_(surplus)))

        await self._database.write(change)

    async def unsubscribe(self, workflow_id: str, person: str, endpoint: str) -> bool:
        """Whether it was subscribed there."""
        same = _LINKED.workflow_id == workflow_id, _LINKED.person == person
        same_row = *same, _LINKED.endpoint_sha256 == hash_address(endpoint)
        return await self._database.change(LINK_SUBSCRIPTIONS.delete().where(*same_row)) > 0

    async def renew(self, former: str, subscription: WebSubscription, now: datetime) -> None:
        """Put it in the place of the one with the endpoint `former`, in every follow-up."""
        sha256 = hash_address(subscription.endpoint)

        def change(connection: Connection) -> None:
            is_former = _LINKED.endpoint_sha256 == hash_address(former)
            rows = connection.execute(select(LINK_SUBSCRIPTIONS).where(is_former).limit(READ_AT_MOST)).all()
            for row in rows:
                key = {_LINKED.workflow_id: row.workflow_id, _LINKED.endpoint_sha256: sha256}
                replace(connection, LINK_SUBSCRIPTIONS, key, person=row.person, seen_at=now, **subscription._asdict())
            if former != subscription.endpoint:
                connection.execute(LINK_SUBSCRIPTIONS.delete().where(is_former))

        await self._database.write(change)

    async def people_of(self, endpoint: str) -> Sequence[tuple[str, str]]:
        """The follow-ups in which it is subscribed, and as whom."""
        is_same = _LINKED.endpoint_sha256 == hash_address(endpoint)
        rows = await self._database.rows(select(LINK_SUBSCRIPTIONS).where(is_same).limit(READ_AT_MOST))
        return [(row.workflow_id, row.person) for row in rows]

    async def list_for(self, workflow_ids: Sequence[str]) -> Mapping[str, tuple[WebSubscription, ...]]:
        """Subscriptions of these follow-ups by person, the last renewed first, each endpoint once."""
        query = select(LINK_SUBSCRIPTIONS).where(_LINKED.workflow_id.in_(workflow_ids))
        rows = await self._database.rows(query.order_by(_LINKED.seen_at.desc()).limit(READ_AT_MOST))
        by_person: dict[str, dict[str, WebSubscription]] = {}
        for row in rows:
            by_person.setdefault(row.person, {}).setdefault(row.endpoint, _subscription(row))
        return {person: tuple(by_endpoint.values()) for person, by_endpoint in by_person.items()}

    async def forget_person(self, workflow_id: str, person: str) -> None:
        """Remove a person's, as their links were renewed."""
        of_person = _LINKED.workflow_id == workflow_id, _LINKED.person == person
        await self._database.change(LINK_SUBSCRIPTIONS.delete().where(*of_person))

    async def forget(self, endpoint: str) -> int:
        """Remove a subscription that is no more, from every follow-up; from how many."""
        is_same = _LINKED.endpoint_sha256 == hash_address(endpoint)
        return await self._database.change(LINK_SUBSCRIPTIONS.delete().where(is_same))

    async def drop(self, now: datetime) -> int:
        """Remove some of those whose follow-up has ended, and of those not renewed for a year; how many."""
        ended = exists().where(RECORDS.c.workflow_id == _LINKED.workflow_id, RECORDS.c.ended_at < now - KEPT_AFTER_END)
        over = select(_LINKED.workflow_id, _LINKED.endpoint_sha256).where(
            or_(ended, _LINKED.seen_at < now - KEPT_UNSEEN)
        )
        return await self._database.drop(LINK_SUBSCRIPTIONS, over.limit(DROPPED_AT_MOST))


class WebPushKeys:
    """Key pairs, of which the newest is for new subscriptions. Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self) -> tuple[WebPushKey, ...]:
        """The newest first; empty if web push is off."""
        newest_first = select(WEB_PUSH_KEYS).order_by(_KEY.made_at.desc(), _KEY.public).limit(KEYS_AT_MOST)
        return tuple(WebPushKey(row.public, row.private) for row in await self._database.rows(newest_first))

    async def add(self, key: WebPushKey, now: datetime, *, unless_any: bool = False) -> bool:
        """Whether it was added; with `unless_any` only as the first."""

        def change(connection: Connection) -> bool:
            if unless_any and connection.execute(select(_KEY.public).limit(1)).first():
                return False
            return insert_new(connection, WEB_PUSH_KEYS, public=key.public, private=key.private, made_at=now)

        return await self._database.write(change)


def _subscription(row: Any) -> WebSubscription:
    return WebSubscription(row.endpoint, row.p256dh, row.auth, row.vapid_key)
