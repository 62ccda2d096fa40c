"""`make bench BENCH=directory [N=10000]`: a company's directory pushed by SCIM, half as Entra does it, half as Okta.

The calls reach the endpoint in this process, one after the other, without a network: each person is looked for and
added; then each is changed. Then people are looked up, and the audience of a campaign is resolved from a pushed group.
At last one person leaves, which is announced; more than a tenth leave, which is held until it is confirmed.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from activities.campaign import population
from activities.people.database_directory import DatabaseDirectory
from activities.records.allowances import Rate
from activities.records.directory import MANY_LEAVE, MANY_LEAVE_SHARE, Exodus, Leaver
from activities.records.store import Store
from tests.bench import memory
from tests.bench.table import machine
from tests.starter.web.scim.directory import ENTERPRISE, PushingDirectory, pushing, user_of
from workflows.model.campaign import AudienceSource

NAME: Final = "directory"
PEOPLE: Final = 10_000
AIM_MS_A_PERSON: Final = 6.0
"""To add 100,000 people in ten minutes."""
AIM_LOOK_UP_MS: Final = 2.0
AIM_AUDIENCE: Final = 3.0
AIM_MEGABYTES: Final = 300.0
_MEMBERS: Final = 10_000
_LOOK_UPS: Final = 1_000
_GROUP: Final = "staff"
_UNLIMITED: Final = Rate(burst=1_000_000, per_second=1_000_000)
"""What a call costs is measured, not how many a second are let in."""
PushStep = Callable[[PushingDirectory, str], Awaitable[None]]


@dataclass(frozen=True)
class DirectoryFigures:
    people: int
    pushed: Mapping[str, float]
    """Seconds of a step for half of the people, by dialect and step."""
    look_up_ms: float
    members: int
    audience: float
    """Seconds for all members."""
    held: int
    megabytes: float

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        pushed = {
            f"{NAME}.{name}": {"seconds": round(seconds, 2), "ms_a_person": round(self._ms_a_person(seconds), 2)}
            for name, seconds in self.pushed.items()
        }
        return pushed | {
            f"{NAME}.look_up": {"ms": round(self.look_up_ms, 2), "people": self.people},
            f"{NAME}.audience": {"seconds": round(self.audience, 2), "members": self.members},
            f"{NAME}.memory": {"mb": round(self.megabytes)},
            f"{NAME}.exodus": {"held": self.held},
        }

    def in_words(self) -> Text:
        """A line a figure, green within its aim."""
        pushed = [
            (
                f"{NAME}.{name}: {seconds:,.1f} s, {self._ms_a_person(seconds):.1f} ms a person"
                f" (aim ≤ {AIM_MS_A_PERSON:g} ms)",
                self._ms_a_person(seconds) <= AIM_MS_A_PERSON,
            )
            for name, seconds in self.pushed.items()
        ]
        others = [
            (
                f"{NAME}.look_up: {self.look_up_ms:.2f} ms (aim ≤ {AIM_LOOK_UP_MS:g} ms)",
                self.look_up_ms <= AIM_LOOK_UP_MS,
            ),
            (
                f"{NAME}.audience: {self.members:,} in {self.audience:.2f} s (aim ≤ {AIM_AUDIENCE:g} s)",
                self.audience <= AIM_AUDIENCE,
            ),
            (
                f"{NAME}.memory: {self.megabytes:,.0f} MB (aim ≤ {AIM_MEGABYTES:g} MB)",
                self.megabytes <= AIM_MEGABYTES,
            ),
            (f"{NAME}.exodus: one leaver announced, {self.held:,} held until confirmed", True),
        ]
        lines = Text(f"{self.people:,} people\n")
        for sentence, is_met in pushed + others:
            lines.append(f"{sentence}\n", "green" if is_met else "red")
        return lines.append(machine(), style="dim")

    def _ms_a_person(self, seconds: float) -> float:
        return seconds / (self.people / 2) * 1000


async def measure(people: int = PEOPLE) -> DirectoryFigures:
    """In a process of its own, of which the most memory is read."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        return await asyncio.get_running_loop().run_in_executor(alone, _run, people)


def _run(people: int) -> DirectoryFigures:
    return asyncio.run(measure_in_process(people))


async def measure_in_process(people: int) -> DirectoryFigures:
    ids = [f"p{number}" for number in range(people)]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(str(Path(folder) / "store"))
        try:
            async with pushing(store, rate=_UNLIMITED) as directory:
                return await _measure(store, directory, ids)
        finally:
            store.close()


async def _measure(store: Store, directory: PushingDirectory, ids: Sequence[str]) -> DirectoryFigures:
    half = len(ids) // 2
    steps: Mapping[str, tuple[Sequence[str], PushStep]] = {
        "entra.add": (ids[:half], _add),
        "entra.change": (ids[:half], _change_as_entra),
        "okta.add": (ids[half:], _add),
        "okta.change": (ids[half:], _change_as_okta),
    }
    pushed = {name: await _push_all(directory, *step) for name, step in steps.items()}
    look_up_ms = await _look_up(store, ids[:: max(1, len(ids) // _LOOK_UPS)])
    members = ids[:_MEMBERS]
    await directory.add_group(_GROUP, *members)
    audience = await _resolve_audience(store, len(members))
    await _let_one_leave(store, directory, ids[0])
    held = await _let_many_leave(store, directory, ids)
    megabytes = memory.peak_mb()
    return DirectoryFigures(len(ids), pushed, look_up_ms, len(members), audience, held, megabytes)


async def _push_all(directory: PushingDirectory, ids: Sequence[str], step: PushStep) -> float:
    began = time.perf_counter()
    for id in ids:
        await step(directory, id)
    return time.perf_counter() - began


async def _add(directory: PushingDirectory, id: str) -> None:
    assert not await directory.find("/Users", f'userName eq "{id}@company.example"')
    await directory.add_user(id)


async def _change_as_entra(directory: PushingDirectory, id: str) -> None:
    """With capitalised operations, and booleans as texts."""
    answer = await directory.patch(
        f"/Users/{id}",
        {"op": "Replace", "path": "active", "value": "True"},
        {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "Legal"},
        {"op": "Replace", "path": "displayName", "value": f"Renamed {id}"},
    )
    _require_active(answer.json(), active=True)


async def _change_as_okta(directory: PushingDirectory, id: str, *, active: bool = True) -> None:
    """With the whole user anew."""
    user = {**user_of(id, displayName=f"Renamed {id}", active=active), "id": id}
    _require_active((await directory.call("PUT", f"/Users/{id}", user)).json(), active=active)


async def _disable_as_entra(directory: PushingDirectory, id: str) -> None:
    answer = await directory.patch(f"/Users/{id}", {"op": "Replace", "path": "active", "value": "False"})
    _require_active(answer.json(), active=False)


def _require_active(user: Mapping[str, Any], *, active: bool) -> None:
    assert user["active"] is active, user
    assert user["displayName"].startswith("Renamed"), user


async def _look_up(store: Store, ids: Sequence[str]) -> float:
    """Milliseconds of each."""
    directory, began = DatabaseDirectory(store), time.perf_counter()
    for id in ids:
        assert await directory.present(id)
    return (time.perf_counter() - began) / len(ids) * 1000


async def _resolve_audience(store: Store, members: int) -> float:
    source, began = AudienceSource(group=_GROUP), time.perf_counter()
    rows = await population.audience(source, population.of_people(()), DatabaseDirectory(store))
    seconds = time.perf_counter() - began
    assert len(rows) == members
    assert not any(row.says for row in rows)
    return seconds


async def _let_one_leave(store: Store, directory: PushingDirectory, id: str) -> None:
    await _disable_as_entra(directory, id)
    assert await store.directory.hold_exodus(datetime.now(UTC)) == Exodus()
    assert await store.directory.begin_announcements() == [Leaver(id, back=False)]
    await store.directory.note_announced(Leaver(id, back=False))


async def _let_many_leave(store: Store, directory: PushingDirectory, ids: Sequence[str]) -> int:
    """How many were held: just more than a tenth, from both halves."""
    leavers = max(MANY_LEAVE, len(ids) // MANY_LEAVE_SHARE + 1)
    assert len(ids) > leavers * 2, "there are too few people"
    for id in ids[1 : leavers // 2 + 1]:
        await _disable_as_entra(directory, id)
    for id in ids[leavers // 2 - leavers :]:
        await _change_as_okta(directory, id, active=False)
    held = (await store.directory.hold_exodus(datetime.now(UTC))).held
    assert held == leavers
    assert await store.directory.begin_announcements() == []
    assert await store.directory.confirm_exodus() == held
    assert await store.directory.begin_announcements()
    return held
