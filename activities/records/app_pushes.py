"""Pushes that were accepted for devices of the company's app, and what the app reported of each."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, case, func, select, tuple_

from activities.records.database import Database, insert_into
from activities.records.figures import PEOPLE_AT_MOST
from activities.records.schema import APP_PUSHES
from workflows.model.notifications import AppEvent, AppEventType

REPORTED_WITHIN_DAYS: Final = 30
"""Older events are ignored: a push service keeps a message for 28 days at most."""
PUSHES_KEPT_DAYS: Final = 400
PUSHES_READ_AT_MOST: Final = 10_000
"""Of one follow-up, the newest."""
WEEK_LINES_AT_MOST: Final = 5_000
"""Departments in weeks that are counted, the latest."""
PUSHES_DROPPED_AT_MOST: Final = 10_000
"""By one statement."""
_ROW: Final = APP_PUSHES.c
_KEY: Final = tuple_(_ROW.screen_key, _ROW.stage, _ROW.device)
_COLUMNS: Final = {event_type: _ROW[f"{event_type}_at"] for event_type in AppEventType}


class AppPush(NamedTuple):
    """A notice that a person's app shows under its `screen_key`."""

    person: str
    screen_key: str
    stage: str
    workflow_id: str
    department: str


class ReportedEvent(NamedTuple):
    """`device` is a short hash."""

    type: AppEventType
    screen_key: str
    stage: str
    device: str
    at: datetime


class EventCounts(NamedTuple):
    """What became of reported events; `unknown` ones are of no push that was accepted for this person."""

    noted: int = 0
    repeated: int = 0
    old: int = 0
    unknown: int = 0


class WeekCount(NamedTuple):
    """How many people of a department a push was accepted for in a week, and from how many the app reported any."""

    week: date
    department: str
    accepted: int
    reached: int


class PushOfDevice(NamedTuple):
    person: str
    stage: str
    device: str


class AppPushes:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, push: AppPush, devices: Sequence[str], now: datetime) -> None:
        """Note that it was accepted for these devices (short hashes); the first time counts."""
        noted = {**push._asdict(), "at": now, "week": week_of(now), "reached": False}
        rows = [{**noted, "device": device} for device in devices]
        await self._database.write_rows(
            lambda connection: connection.execute(insert_into(connection, APP_PUSHES).on_conflict_do_nothing(), rows)
        )

    async def report(self, person: str, events: Sequence[ReportedEvent], now: datetime) -> EventCounts:
        """Note events of a person's pushes; of each type the first counts. One from before its push or from the future,
        by a wrong clock, counts as of then or of now.
        """
        recent_events = [event for event in events if event.at >= now - timedelta(days=REPORTED_WITHIN_DAYS)]
        old_count = len(events) - len(recent_events)
        keys = {_key_of(event) for event in recent_events}
        if not keys:
            return EventCounts(old=old_count)
        query = select(APP_PUSHES).where(_ROW.person == person, _KEY.in_(sorted(keys)))

        def change(connection: Connection) -> EventCounts:
            pushes = {(row.screen_key, row.stage, row.device): _Push(row) for row in connection.execute(query)}
            outcomes = [
                push.note(event, now) if (push := pushes.get(_key_of(event))) else None for event in recent_events
            ]
            for push in pushes.values():
                if push.changes:
                    same_row = _ROW.person == person, _KEY.in_([push.key])
                    connection.execute(APP_PUSHES.update().where(*same_row).values(**push.changes, reached=True))
            return EventCounts(outcomes.count(True), outcomes.count(False), old_count, outcomes.count(None))

        return await self._database.write(change)

    async def list_events(self, workflow_id: str) -> Mapping[PushOfDevice, tuple[AppEvent, ...]]:
        """What the app reported of a follow-up's pushes, in order of time."""
        query = select(APP_PUSHES).where(_ROW.workflow_id == workflow_id, _ROW.reached)
        rows = await self._database.rows(query.order_by(_ROW.at.desc()).limit(PUSHES_READ_AT_MOST))
        return {PushOfDevice(row.person, row.stage, row.device): _events(row) for row in rows}

    async def count_by_week(
        self, since: date, until: date, *, department: str | None = None, people: Sequence[str] | None = None
    ) -> tuple[WeekCount, ...]:
        """From the week of `since` to that of `until`, the latest first; of these people if given."""
        conditions = [_ROW.week >= week_of(since), _ROW.week <= until]
        conditions += [_ROW.department == department] if department is not None else []
        conditions += [_ROW.person.in_(people[:PEOPLE_AT_MOST])] if people is not None else []
        accepted_count = func.count(_ROW.person.distinct())
        reached_count = func.count(case((_ROW.reached, _ROW.person)).distinct())
        query = select(_ROW.week, _ROW.department, accepted_count, reached_count).where(*conditions)
        query = query.group_by(_ROW.week, _ROW.department).order_by(_ROW.week.desc(), _ROW.department)
        return tuple(WeekCount(*row) for row in await self._database.rows(query.limit(WEEK_LINES_AT_MOST)))

    async def drop(self, now: datetime) -> int:
        """Remove those of weeks long ago, so many at once; how many there were."""
        old_rows = select(*APP_PUSHES.primary_key.columns).where(
            _ROW.week < week_of(now - timedelta(days=PUSHES_KEPT_DAYS))
        )
        return await self._database.drop(APP_PUSHES, old_rows.limit(PUSHES_DROPPED_AT_MOST))


def week_of(day: date) -> date:
    """The Monday of its week; of an instant in UTC, as stored ones are."""
    if isinstance(day, datetime):
        day = day.astimezone(UTC).date()
    return day - timedelta(days=min(day.weekday(), (day - date.min).days))


class _Push:
    """A stored push, and the events that are new to it."""

    def __init__(self, row: Any) -> None:
        self._row = row
        self.key = (row.screen_key, row.stage, row.device)
        self.changes: dict[str, datetime] = {}

    def note(self, event: ReportedEvent, now: datetime) -> bool:
        """Whether it is news."""
        column = _COLUMNS[event.type].name
        if column in self.changes or self._row._mapping[column]:
            return False
        self.changes[column] = max(self._row.at, min(event.at, now))
        return True


def _key_of(event: ReportedEvent) -> tuple[str, str, str]:
    return event.screen_key, event.stage, event.device


def _events(row: Any) -> tuple[AppEvent, ...]:
    reported = [
        AppEvent(type=event_type, at=reported_at)
        for event_type, column in _COLUMNS.items()
        if (reported_at := row._mapping[column.name])
    ]
    return tuple(sorted(reported, key=lambda event: event.at))
