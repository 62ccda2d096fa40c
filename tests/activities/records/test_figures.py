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
from activities.records.facts import OutcomeFacts
from activities.records.figures import FactFilter, GroupBy, Key, PeriodFigures, Scope
from activities.records.store import Store
from workflows.kinds import Kind
from workflows.model.subject import Status

pytestmark = pytest.mark.long

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
MANY = 400
PEOPLE = ("ada", "bo", "cy")
REQUEST, TASK = Kind.REQUEST.spec.prefix, Kind.TASK.spec.prefix


@dataclass(frozen=True)
class EndedFacts:
    """One that has ended, and whom it names."""

    facts: OutcomeFacts
    requester: str
    asked_person: str


def make_ended_facts(number: int, chance: random.Random) -> EndedFacts:
    status = chance.choice((Status.SIGNED, Status.SIGNED, Status.DECLINED, Status.EXPIRED))
    waited = {holder: float(chance.randrange(100)) for holder in Holder}
    facts = OutcomeFacts(
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
    return EndedFacts(facts, chance.choice(PEOPLE), chance.choice(PEOPLE))


ALL = [make_ended_facts(number, random.Random(number)) for number in range(MANY)]  # noqa: S311


async def write(store: Store, number: int, ended_facts: EndedFacts) -> None:
    facts = ended_facts.facts
    show = {
        "kind": facts.kind,
        "status": facts.status,
        "requester": ended_facts.requester,
        "signers": [{"person": ended_facts.asked_person}],
    }
    content = json.dumps({"show": show, "settled": {"at": facts.ended_at.isoformat()}}).encode()
    assert await store.records.write(f"{facts.type}:r-{number}", content, facts)


@pytest_asyncio.fixture
async def store(tmp_path: Path, database_url: str) -> AsyncIterator[Store]:
    filled = Store(str(tmp_path), database_url)
    for number, ended_facts in enumerate(ALL):
        await write(filled, number, ended_facts)
    yield filled
    filled.close()


def select_by_filter(fact_filter: FactFilter) -> list[EndedFacts]:
    scope = fact_filter.scope
    return [
        ended_facts
        for ended_facts in ALL
        if fact_filter.since <= ended_facts.facts.ended_at < fact_filter.until
        and fact_filter.kind in (None, ended_facts.facts.kind)
        and fact_filter.department in (None, ended_facts.facts.department)
        and (
            scope is None or ended_facts.requester in scope.requesters or ended_facts.asked_person in scope.asked_people
        )
    ]


def read_group(facts: OutcomeFacts, grouping: GroupBy) -> str:
    return {"kind": facts.kind, "department": facts.department, "month": f"{facts.ended_at:%Y-%m}"}[grouping]


def quantiles(values: Iterable[float | None]) -> tuple[float | None, float | None]:
    ordered = sorted(value for value in values if value is not None)
    if not ordered:
        return None, None
    return median(ordered), ordered[math.ceil(0.9 * len(ordered)) - 1]


def count_by_hand(fact_filter: FactFilter, grouping: GroupBy) -> dict[Key, tuple[object, ...]]:
    of_turn = grouping is GroupBy.DEPARTMENT or fact_filter.department is not None
    facts_by_key: dict[Key, list[OutcomeFacts]] = {}
    for ended_facts in select_by_filter(fact_filter):
        for group in (None, read_group(ended_facts.facts, grouping)):
            facts_by_key.setdefault(Key(ended_facts.facts.type, group), []).append(ended_facts.facts)
    return {
        key: (
            len(group_facts),
            sum(facts.status.fulfilled for facts in group_facts),
            sum(facts.status.fulfilled and facts.late for facts in group_facts),
            sum(facts.status is Status.EXPIRED for facts in group_facts),
            *quantiles(
                (facts.turn_seconds if of_turn else facts.seconds) for facts in group_facts if facts.status.fulfilled
            ),
            sum((facts.waited or {}).get(Holder.US, 0.0) for facts in group_facts),
        )
        for key, group_facts in facts_by_key.items()
    }


def to_plain_figures(figures: PeriodFigures) -> dict[Key, tuple[object, ...]]:
    return {
        key: (
            group_figures.ended_count,
            group_figures.fulfilled,
            group_figures.late,
            group_figures.endings.get(Status.EXPIRED, 0),
            group_figures.median,
            group_figures.p90,
            group_figures.waited[Holder.US],
        )
        for key, group_figures in figures.groups.items()
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
    for fact_filter in FILTERS:
        for grouping in GroupBy:
            assert to_plain_figures(await store.figures.count(fact_filter, grouping)) == count_by_hand(
                fact_filter, grouping
            ), (
                fact_filter,
                grouping,
            )


async def test_notices_and_escalations_are_counted_by_type(store: Store) -> None:
    figures = await store.figures.count(WHOLE, GroupBy.KIND)
    of_type = [ended_facts.facts for ended_facts in select_by_filter(WHOLE) if ended_facts.facts.type == REQUEST]
    heard = [facts.notice for facts in of_type if facts.notice]
    assert figures.notices[REQUEST] == {notice: heard.count(notice) for notice in dict.fromkeys(heard)}
    assert list(figures.notices[REQUEST].values()) == sorted(figures.notices[REQUEST].values(), reverse=True)
    brought = [facts.brought for facts in of_type if facts.brought]
    assert figures.escalated[REQUEST].counts == {brought_by: brought.count(brought_by) for brought_by in Brought}
    fulfilled = [facts.brought_seconds for facts in of_type if facts.brought_seconds is not None]
    assert figures.escalated[REQUEST].median == quantiles(fulfilled)[0]


async def test_of_ten_times_the_groups_those_with_most_are_shown(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUPS_AT_MOST", 1)
    for grouping in (GroupBy.KIND, GroupBy.MONTH):
        figures = await store.figures.count(FactFilter(NOW - timedelta(days=30), NOW), grouping)
        groups = {
            key: group_figures.ended_count
            for key, group_figures in count_groups_by_hand(grouping).items()
            if key.type == REQUEST
        }
        shown_keys = [key for key in figures.groups if key.type == REQUEST and key.group is not None]
        assert figures.omitted_count_by_type[REQUEST] == len(groups) - 1
        newest = grouping is GroupBy.MONTH
        best = max(groups, key=lambda key: (key.group or "" if newest else "", groups[key]))
        assert shown_keys == [best]


def count_groups_by_hand(grouping: GroupBy) -> dict[Key, module.GroupFigures]:
    count_by_key: dict[Key, int] = {}
    for ended_facts in ALL:
        key = Key(ended_facts.facts.type, read_group(ended_facts.facts, grouping))
        count_by_key[key] = count_by_key.get(key, 0) + 1
    return {key: module.GroupFigures(ended_count=count) for key, count in count_by_key.items()}


async def test_a_record_that_is_written_again_counts_once(store: Store) -> None:
    figures_before = to_plain_figures(await store.figures.count(WHOLE, GroupBy.KIND))
    facts = ALL[0].facts
    content = await store.records.read(f"{facts.type}:r-0")
    assert content is not None
    assert not await store.records.write(f"{facts.type}:r-0", content, facts)
    assert to_plain_figures(await store.figures.count(WHOLE, GroupBy.KIND)) == figures_before


async def test_who_asked_for_something_that_has_ended_is_known(store: Store) -> None:
    assert await store.figures.has_asked(("nobody", "ada"))
    assert not await store.figures.has_asked(("nobody",))
