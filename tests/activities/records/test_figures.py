"""Figures as the database counts them, beside the same counted one by one."""

import json
import math
import random
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pytest
import pytest_asyncio

from activities.metrics import Brought, Holder
from activities.records import figures as module
from activities.records.facts import Facts
from activities.records.figures import FactFilter, GroupBy, Key, PeriodFigures, Scope
from activities.records.store import Store
from workflows.kinds import Kind
from workflows.model.subject import Status

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
MANY = 400
PEOPLE = ("ada", "bo", "cy")
REQUEST, TASK = Kind.REQUEST.spec.prefix, Kind.TASK.spec.prefix


@dataclass(frozen=True)
class Ended:
    """One that has ended, and whom it names."""

    facts: Facts
    requester: str
    asked: str


def made(number: int, chance: random.Random) -> Ended:
    status = chance.choice((Status.SIGNED, Status.SIGNED, Status.DECLINED, Status.EXPIRED))
    waited = {holder: float(chance.randrange(100)) for holder in Holder}
    facts = Facts(
        type=chance.choice((REQUEST, TASK)),
        kind=chance.choice(("nda", "msa", "offer")),
        status=status,
        ended_at=NOW - timedelta(hours=number),
        late=chance.random() < 0.3,
        seconds=float(chance.randrange(1_000)),
        department=chance.choice(("", "Legal", "Sales")),
        turn_seconds=chance.choice((None, float(chance.randrange(1_000)))),
        notice=chance.choice(("ready", "reminder-1")) if status.fulfilled else None,
        brought=chance.choice((None, Brought.ALTERNATE, Brought.SIGNER)) if status.fulfilled else Brought.NOBODY,
        brought_seconds=float(chance.randrange(1_000)) if status.fulfilled else None,
        waited=chance.choice((None, waited)),
    )
    return Ended(facts, chance.choice(PEOPLE), chance.choice(PEOPLE))


ALL = [made(number, random.Random(number)) for number in range(MANY)]  # noqa: S311


async def write(store: Store, number: int, ended: Ended) -> None:
    facts = ended.facts
    show = {
        "kind": facts.kind,
        "status": facts.status,
        "requester": ended.requester,
        "signers": [{"person": ended.asked}],
    }
    content = json.dumps({"show": show, "settled": {"at": facts.ended_at.isoformat()}}).encode()
    assert await store.records.write(f"{facts.type}:r-{number}", content, facts)


@pytest_asyncio.fixture
async def store(tmp_path: Path, database_url: str) -> AsyncIterator[Store]:
    filled = Store(str(tmp_path), database_url)
    for number, ended in enumerate(ALL):
        await write(filled, number, ended)
    yield filled
    filled.close()


def wanted_by(wanted: FactFilter) -> list[Ended]:
    scope = wanted.scope
    return [
        one
        for one in ALL
        if wanted.since <= one.facts.ended_at < wanted.until
        and wanted.kind in (None, one.facts.kind)
        and wanted.department in (None, one.facts.department)
        and (scope is None or one.requester in scope.requesters or one.asked in scope.asked)
    ]


def group_of(facts: Facts, by: GroupBy) -> str:
    return {"kind": facts.kind, "department": facts.department, "month": f"{facts.ended_at:%Y-%m}"}[by]


def quantiles(values: Iterable[float | None]) -> tuple[float | None, float | None]:
    ordered = sorted(value for value in values if value is not None)
    if not ordered:
        return None, None
    return median(ordered), ordered[math.ceil(0.9 * len(ordered)) - 1]


def by_hand(wanted: FactFilter, by: GroupBy) -> dict[Key, tuple[object, ...]]:
    of_turn = by is GroupBy.DEPARTMENT or wanted.department is not None
    found: dict[Key, list[Facts]] = {}
    for one in wanted_by(wanted):
        for group in (None, group_of(one.facts, by)):
            found.setdefault(Key(one.facts.type, group), []).append(one.facts)
    return {
        key: (
            len(some),
            sum(one.status.fulfilled for one in some),
            sum(one.status.fulfilled and one.late for one in some),
            sum(one.status is Status.EXPIRED for one in some),
            *quantiles((one.turn_seconds if of_turn else one.seconds) for one in some if one.status.fulfilled),
            sum((one.waited or {}).get(Holder.US, 0.0) for one in some),
        )
        for key, some in found.items()
    }


def plain(found: PeriodFigures) -> dict[Key, tuple[object, ...]]:
    return {
        key: (
            one.ended,
            one.fulfilled,
            one.late,
            one.endings.get(Status.EXPIRED, 0),
            one.median,
            one.p90,
            one.waited[Holder.US],
        )
        for key, one in found.groups.items()
    }


WHOLE = FactFilter(NOW - timedelta(days=14), NOW)
FILTERS = [
    WHOLE,
    FactFilter(NOW - timedelta(days=5), NOW - timedelta(days=2)),
    FactFilter(NOW - timedelta(days=14), NOW, kind="nda"),
    FactFilter(NOW - timedelta(days=14), NOW, department="Legal"),
    FactFilter(NOW - timedelta(days=14), NOW, department=""),
    FactFilter(NOW - timedelta(days=14), NOW, scope=Scope(("ada",), ())),
    FactFilter(NOW - timedelta(days=14), NOW, scope=Scope(("ada", "bo"), ("bo", "cy"))),
    FactFilter(NOW - timedelta(days=14), NOW, kind="msa", scope=Scope((), ())),
    FactFilter(NOW + timedelta(days=1), NOW + timedelta(days=2)),
]


async def test_the_database_counts_as_one_would_by_hand(store: Store) -> None:
    for wanted in FILTERS:
        for by in GroupBy:
            assert plain(await store.figures.of(wanted, by)) == by_hand(wanted, by), (wanted, by)


async def test_notices_and_escalations_are_counted_by_type(store: Store) -> None:
    found = await store.figures.of(WHOLE, GroupBy.KIND)
    of_type = [one.facts for one in wanted_by(WHOLE) if one.facts.type == REQUEST]
    heard = [one.notice for one in of_type if one.notice]
    assert found.notices[REQUEST] == {notice: heard.count(notice) for notice in dict.fromkeys(heard)}
    assert list(found.notices[REQUEST].values()) == sorted(found.notices[REQUEST].values(), reverse=True)
    brought = [one.brought for one in of_type if one.brought]
    assert found.escalated[REQUEST].counts == {one: brought.count(one) for one in Brought}
    fulfilled = [one.brought_seconds for one in of_type if one.brought_seconds is not None]
    assert found.escalated[REQUEST].median == quantiles(fulfilled)[0]


async def test_of_ten_times_the_groups_those_with_most_are_shown(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUPS_AT_MOST", 1)
    for by in (GroupBy.KIND, GroupBy.MONTH):
        found = await store.figures.of(FactFilter(NOW - timedelta(days=30), NOW), by)
        groups = {key: one.ended for key, one in by_hand_counts(by).items() if key.type == REQUEST}
        shown = [key for key in found.groups if key.type == REQUEST and key.group is not None]
        assert found.more[REQUEST] == len(groups) - 1
        newest = by is GroupBy.MONTH
        best = max(groups, key=lambda key: (key.group or "" if newest else "", groups[key]))
        assert shown == [best]


def by_hand_counts(by: GroupBy) -> dict[Key, module.GroupFigures]:
    found: dict[Key, int] = {}
    for one in ALL:
        key = Key(one.facts.type, group_of(one.facts, by))
        found[key] = found.get(key, 0) + 1
    return {key: module.GroupFigures(ended=count) for key, count in found.items()}


async def test_a_record_that_is_written_again_counts_once(store: Store) -> None:
    before = plain(await store.figures.of(WHOLE, GroupBy.KIND))
    facts = ALL[0].facts
    content = await store.records.read(f"{facts.type}:r-0")
    assert content is not None
    assert not await store.records.write(f"{facts.type}:r-0", content, facts)
    assert plain(await store.figures.of(WHOLE, GroupBy.KIND)) == before


async def test_who_asked_for_something_that_has_ended_is_known(store: Store) -> None:
    assert await store.figures.has_asked(("nobody", "ada"))
    assert not await store.figures.has_asked(("nobody",))
