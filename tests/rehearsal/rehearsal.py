"""What is rehearsed: requests, tasks, onboardings and a campaign, while each part of the installation dies once."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Final

from temporalio.service import RPCError

from activities.errors import StoreFailure
from activities.people.directory import DirectoryFailure
from starter.cli import start_files as files
from starter.errors import Refusal
from starter.queries import lookup
from tests.faults import campaigning, joining
from tests.faults.evidence import gather, gather_campaign, gather_onboarding
from tests.faults.nemesis import Load
from tests.faults.oracle import Invariant, Violation, judge, judge_campaign, judge_onboarding
from tests.faults.population import PDF, REQUESTER, colleague
from tests.faults.town import eventually
from tests.rehearsal.machines import WEB, WORKERS, Installation
from workflows.kinds import Kind, WorkflowName
from workflows.model.commands import UPDATES, Done
from workflows.model.subject import Status

REQUESTS, TASKS, ONBOARDINGS, PEOPLE = 50, 10, 3, 100
SHARES = 5
_PREFIX, _CAMPAIGN = "rq", "conduct"
_DEAD_FOR: Final = 5.0
"""Seconds a part is away: longer than any call to it is tried again by itself."""
_BETWEEN: Final = (2.0, 5.0)
_WITHIN: Final = 300.0
_AWAY: Final = (Refusal, RPCError, StoreFailure, DirectoryFailure, RuntimeError)
"""Who asks meets these while something is dead, and asks again."""
_TWICE: Final = (Invariant.ONCE, Invariant.NOTICES, Invariant.KEYS, Invariant.PARTS)


@dataclass(frozen=True)
class Fate:
    """What became of one kind. `lost` came to no record; `twice` was done or told more than once."""

    what: str
    many: int
    lost: int
    twice: int
    violations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Death:
    """kill -9, in seconds from the begin; `back` is when it did its work again, `running` the open workflows."""

    what: str
    at: float
    back: float
    running: int


@dataclass(frozen=True)
class Outcome:
    seconds: float
    fates: Sequence[Fate]
    deaths: Sequence[Death]

    @property
    def ok(self) -> bool:
        return not any(one.lost or one.twice or one.violations for one in self.fates)

    def as_json(self) -> str:
        return json.dumps({"ok": self.ok, **asdict(self)}, indent=1)

    def as_table(self) -> str:
        lines = [f"{'what':<16}{'many':>6}{'lost':>6}{'twice':>6}"]
        lines += [f"{one.what:<16}{one.many:>6}{one.lost:>6}{one.twice:>6}" for one in self.fates]
        lines += ["", f"{'killed':<16}{'at':>6}{'back':>6}  seconds  with so many workflows open"]
        lines += [f"{one.what:<16}{one.at:>6.0f}{one.back:>6.0f}{one.running:>11}" for one in self.deaths]
        lines += [f"  {one.what}: {says}" for one in self.fates for says in one.violations]
        return "\n".join([*lines, "", f"{'as it must be' if self.ok else 'NOT as it must be'}, {self.seconds:.0f} s"])


async def rehearse(it: Installation, seed: int, say: Callable[[str], None]) -> Outcome:
    """Start all of it, kill and bring back one part after the other meanwhile, and judge what came of it."""
    found = Rehearsal(it, random.Random(seed), say)  # noqa: S311  chaos that can be repeated, no secret
    await found.run()
    acknowledged = {id: run for load in found.loads for id, run in load.acknowledged.items()}
    fates = [
        await _fate(it, "requests", Kind.REQUEST, acknowledged, judge(await gather(it, acknowledged, _PREFIX))),
        await _of_tasks(it, found.tasks),
        await _of_onboardings(it, found.onboardings),
        await _of_campaign(it, _CAMPAIGN, len(found.deaths)),
    ]
    return Outcome(found.seconds, fates, found.deaths)


class Rehearsal:
    """A share of everything begins before each death, and the last one afterwards."""

    def __init__(self, it: Installation, dice: random.Random, say: Callable[[str], None]) -> None:
        self._it, self._dice, self._say, self._began = it, dice, say, time.monotonic()
        self.loads: list[Load] = []
        self.tasks: list[str] = []
        self.onboardings: list[str] = []
        self.deaths: list[Death] = []

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    async def run(self) -> None:
        """Until all have come to their end."""
        it, half = self._it, PEOPLE // 2
        everybody, watch = campaigning.crowd(it, PEOPLE), campaigning.Watch(it)
        it.furnish()
        await it.start(*WORKERS, *WEB)
        self._say(f"{self.seconds:.0f} s: two workers and two web processes do their work")
        async with asyncio.TaskGroup() as at_once:
            for number, dies in enumerate(self._victims()):
                self._begin_share(number, at_once)
                if number == 0:
                    at_once.create_task(_until_taken(lambda: campaigning.begin(it, _CAMPAIGN)))
                if number == len(self.deaths) == SHARES // 2:
                    await watch.until_told(_CAMPAIGN, len(everybody), timeout_seconds=_WITHIN)
                    at_once.create_task(campaigning.act(it, _CAMPAIGN, everybody[half:], decline=everybody[:half]))
                await asyncio.sleep(self._dice.uniform(*_BETWEEN))
                await dies()
            self._begin_share(SHARES - 1, at_once)
        await campaigning.read_record(it, _CAMPAIGN)
        self._say(f"{self.seconds:.0f} s: all have come to their end")

    def _begin_share(self, number: int, at_once: asyncio.TaskGroup) -> None:
        """A part of the requests, of a document of their own, of the tasks and onboardings."""
        it = self._it
        document, many = f"contract-{number}.pdf", REQUESTS // SHARES
        (it.folder.path / "files" / document).write_bytes(PDF + b"%% %d" % number)
        load = Load(it, f"{_PREFIX}{number}", self._dice, many, (0.2, 1.5), swept=True, document=document)
        self.loads.append(load)
        at_once.create_task(_all_of(load))
        for one in range(TASKS // SHARES):
            self.tasks.append(f"task-{number}{one}")
            at_once.create_task(_task(it, self.tasks[-1], number))
        if number < ONBOARDINGS:
            self.onboardings.append(f"onboarding-{number}")
            at_once.create_task(_onboarding(it, self.onboardings[-1]))

    def _victims(self) -> list[Callable[[], Awaitable[None]]]:
        it = self._it
        worker, web = self._dice.choice(WORKERS), self._dice.choice(WEB)
        found = [
            partial(self._dies, "worker", partial(it.kill, worker), partial(it.start, worker)),
            partial(self._dies, "web process", partial(it.kill, web), partial(it.start, web)),
            partial(self._dies, "PostgreSQL", _in_thread(it.database.kill), _in_thread(it.database.start)),
            partial(self._dies, "S3 server", _in_thread(it.bucket.kill), _in_thread(it.bucket.start)),
        ]
        self._dice.shuffle(found)
        return [*found]

    async def _dies(self, what: str, kill: Callable[[], Awaitable[None]], start: Callable[[], Awaitable[None]]) -> None:
        running = (await self._it.context.client.count_workflows("ExecutionStatus = 'Running'")).count
        at = self.seconds
        await kill()
        await asyncio.sleep(_DEAD_FOR)
        await start()
        self.deaths.append(Death(what, at, self.seconds, running))
        self._say(f"{self.seconds:.0f} s: {what} was killed at {at:.0f} s, while {running} ran, and is back")


def _in_thread(call: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    return partial(asyncio.to_thread, call)


async def _all_of(load: Load) -> None:
    async with load.running():
        pass


async def _until_taken(call: Callable[[], Awaitable[object]]) -> None:
    """Ask until it is acknowledged, as people and systems do."""

    async def probe() -> bool:
        with suppress(*_AWAY):
            await call()
            return True
        return False

    await eventually(probe, _WITHIN)


async def _task(it: Installation, name: str, number: int) -> None:
    file = it.folder.path / "files" / f"{name}.json"
    who = {"person": colleague(number)}
    file.write_text(json.dumps({"id": name, "kind": "base", "title": "A chore", "who": who, "owner": REQUESTER}))

    async def begin() -> None:
        await files.start(it.context, await files.read(it.settings, str(file), kind=Kind.TASK))

    await _until_taken(begin)
    handle = it.context.client.get_workflow_handle(Kind.TASK.workflow_id(name))
    done = Done(actor=colleague(number))
    await _until_taken(lambda: handle.execute_update(UPDATES[Done], done, id=f"done-{name}"))
    await handle.result()


async def _onboarding(it: Installation, name: str) -> None:
    await _until_taken(lambda: joining.begin(it, name, joining.SMALL))
    for _ in range(2):
        await joining.act(it, name)
    await joining.until_ended(it, name, timeout_seconds=_WITHIN)


async def _of_tasks(it: Installation, names: Sequence[str]) -> Fate:
    twice = []
    for name in names:
        shown = await lookup.look_at(it.context.client, it.context.store, WorkflowName(Kind.TASK, name))
        heard = Counter(line.key for line in shown.notifications)
        twice += [Violation(Invariant.NOTICES, name, key) for key, times in heard.items() if times > 1]
        if shown.status is not Status.DONE:
            twice.append(Violation(Invariant.OUTCOMES, name, shown.status))
    return await _fate(it, "tasks", Kind.TASK, names, twice)


async def _of_onboardings(it: Installation, names: Sequence[str]) -> Fate:
    found = [one for name in names for one in judge_onboarding(await gather_onboarding(it, name))]
    return await _fate(it, "onboardings", Kind.ONBOARDING, names, found)


async def _of_campaign(it: Installation, id: str, kills: int) -> Fate:
    asked = await gather_campaign(it, id, kills=kills)
    of_people = [line.request for line in asked.lines]
    return await _fate(it, "campaign", Kind.REQUEST, of_people, judge_campaign(asked))


async def _fate(it: Installation, what: str, kind: Kind, ids: Iterable[str], found: Iterable[Violation]) -> Fate:
    workflows, violations = [kind.workflow_id(id) for id in ids], [*found]
    lost = (await it.context.store.records.read_many(workflows)).count(None)
    twice = sum(one.invariant in _TWICE for one in violations)
    return Fate(
        what, len(workflows), lost, twice, tuple(f"{one.request}: {one.invariant}: {one.says}" for one in violations)
    )
