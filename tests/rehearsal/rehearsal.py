"""What is rehearsed: requests, tasks, onboardings and a campaign, while each part of the installation dies once."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
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
from tests.rehearsal.machines import WEB, WORKERS, Installation, Part
from workflows.kinds import Kind, WorkflowName
from workflows.model.commands import UPDATES, TaskCompletion
from workflows.model.subject import Status

REQUESTS, TASKS, ONBOARDINGS, PEOPLE = 50, 10, 3, 100
SHARES = 5
_PREFIX, _CAMPAIGN = "rq", "conduct"
_BETWEEN: Final = (2.0, 5.0)
_WITHIN: Final = 300.0
_AWAY: Final = (Refusal, RPCError, StoreFailure, DirectoryFailure, RuntimeError)
"""Who asks meets these while something is dead, and asks again."""
_TWICE: Final = (Invariant.ONCE, Invariant.NOTICES, Invariant.KEYS, Invariant.PARTS)


@dataclass(frozen=True)
class Fate:
    """What became of one kind. `lost` came to no record; `twice` was done or told more than once."""

    what: str
    total: int
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
        return not any(fate.lost or fate.twice or fate.violations for fate in self.fates)

    def as_json(self) -> str:
        return json.dumps({"ok": self.ok, **asdict(self)}, indent=1)

    def as_table(self) -> str:
        lines = [f"{'what':<16}{'many':>6}{'lost':>6}{'twice':>6}"]
        lines += [f"{fate.what:<16}{fate.total:>6}{fate.lost:>6}{fate.twice:>6}" for fate in self.fates]
        lines += ["", f"{'killed':<16}{'at':>6}{'back':>6}  seconds  with so many workflows open"]
        lines += [f"{death.what:<16}{death.at:>6.0f}{death.back:>6.0f}{death.running:>11}" for death in self.deaths]
        lines += [f"  {fate.what}: {violation}" for fate in self.fates for violation in fate.violations]
        return "\n".join([*lines, "", f"{'as it must be' if self.ok else 'NOT as it must be'}, {self.seconds:.0f} s"])


async def rehearse(installed: Installation, seed: int, say: Callable[[str], None]) -> Outcome:
    """Start all of it, kill and bring back one part after the other meanwhile, and judge what came of it."""
    played = Rehearsal(installed, random.Random(seed), say)  # noqa: S311  chaos that can be repeated, no secret
    await played.run()
    acknowledged = {id: run for load in played.loads for id, run in load.acknowledged.items()}
    fates = [
        await determine_fate(
            installed, "requests", Kind.REQUEST, acknowledged, judge(await gather(installed, acknowledged, _PREFIX))
        ),
        await _of_tasks(installed, played.tasks),
        await _of_onboardings(installed, played.onboardings),
        await _of_campaign(installed, _CAMPAIGN, len(played.deaths)),
    ]
    return Outcome(played.seconds, fates, played.deaths)


async def determine_fate(
    installed: Installation, name: str, kind: Kind, ids: Iterable[str], violations_found: Iterable[Violation]
) -> Fate:
    """What became of the workflows `ids` of a kind, of which these violations were found; `lost` have no record."""
    workflows, violations = [kind.workflow_id(id) for id in ids], [*violations_found]
    lost = (await installed.context.store.records.read_many(workflows)).count(None)
    repeated = sum(violation.invariant in _TWICE for violation in violations)
    return Fate(
        name,
        len(workflows),
        lost,
        repeated,
        tuple(f"{violation.request}: {violation.invariant}: {violation.says}" for violation in violations),
    )


class Rehearsal:
    """A share of everything begins before each death, and the last one afterwards."""

    def __init__(self, installed: Installation, dice: random.Random, say: Callable[[str], None]) -> None:
        self._installed, self._dice, self._say, self._began = installed, dice, say, time.monotonic()
        self.loads: list[Load] = []
        self.tasks: list[str] = []
        self.onboardings: list[str] = []
        self.deaths: list[Death] = []

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    async def run(self) -> None:
        """Until all have come to their end."""
        installed, half = self._installed, PEOPLE // 2
        everybody, watch = campaigning.crowd(installed, PEOPLE), campaigning.Watch(installed)
        installed.furnish()
        await installed.start_patiently(*WORKERS, *WEB)
        self._say(f"{self.seconds:.0f} s: two workers and two web processes do their work")
        async with asyncio.TaskGroup() as at_once:
            for number, part in enumerate(self._victims()):
                self._begin_share(number, at_once)
                if number == 0:
                    at_once.create_task(_repeat_until_taken(lambda: campaigning.begin(installed, _CAMPAIGN)))
                if number == len(self.deaths) == SHARES // 2:
                    await watch.until_told(_CAMPAIGN, len(everybody), timeout_seconds=_WITHIN)
                    at_once.create_task(
                        campaigning.act(installed, _CAMPAIGN, everybody[half:], decline=everybody[:half])
                    )
                await asyncio.sleep(self._dice.uniform(*_BETWEEN))
                await self._kill_and_restart(part)
            self._begin_share(SHARES - 1, at_once)
        await campaigning.read_record(installed, _CAMPAIGN)
        self._say(f"{self.seconds:.0f} s: all have come to their end")

    def _begin_share(self, number: int, at_once: asyncio.TaskGroup) -> None:
        """A part of the requests, of a document of their own, of the tasks and onboardings."""
        installed = self._installed
        document, request_count = f"contract-{number}.pdf", REQUESTS // SHARES
        (installed.folder.path / "files" / document).write_bytes(PDF + b"%% %d" % number)
        load = Load(
            installed, f"{_PREFIX}{number}", self._dice, request_count, (0.2, 1.5), swept=True, document=document
        )
        self.loads.append(load)
        at_once.create_task(_run_to_end(load))
        for task_number in range(TASKS // SHARES):
            self.tasks.append(f"task-{number}{task_number}")
            at_once.create_task(_task(installed, self.tasks[-1], number))
        if number < ONBOARDINGS:
            self.onboardings.append(f"onboarding-{number}")
            at_once.create_task(_onboarding(installed, self.onboardings[-1]))

    def _victims(self) -> list[Part]:
        installed = self._installed
        processes = (self._dice.choice(WORKERS), self._dice.choice(WEB))
        victims = [*map(installed.process, processes), *installed.servers]
        self._dice.shuffle(victims)
        return victims

    async def _kill_and_restart(self, part: Part) -> None:
        running = (await self._installed.context.client.count_workflows("ExecutionStatus = 'Running'")).count
        killed_at = self.seconds
        await part.kill_and_restart()
        self.deaths.append(Death(part.name, killed_at, self.seconds, running))
        self._say(
            f"{self.seconds:.0f} s: {part.name} was killed at {killed_at:.0f} s, while {running} ran, and is back"
        )


async def _run_to_end(load: Load) -> None:
    async with load.running():
        pass


async def _repeat_until_taken(call: Callable[[], Awaitable[object]]) -> None:
    """Ask until it is acknowledged, as people and systems do."""

    async def probe() -> bool:
        with suppress(*_AWAY):
            await call()
            return True
        return False

    await eventually(probe, _WITHIN)


async def _task(installed: Installation, name: str, number: int) -> None:
    file = installed.folder.path / "files" / f"{name}.json"
    assignee = {"person": colleague(number)}
    file.write_text(json.dumps({"id": name, "kind": "base", "title": "A chore", "who": assignee, "owner": REQUESTER}))

    async def begin() -> None:
        await files.start(installed.context, await files.read(installed.settings, str(file), kind=Kind.TASK))

    await _repeat_until_taken(begin)
    handle = installed.context.client.get_workflow_handle(Kind.TASK.workflow_id(name))
    command = TaskCompletion(actor=colleague(number))
    await _repeat_until_taken(lambda: handle.execute_update(UPDATES[TaskCompletion], command, id=f"done-{name}"))
    await handle.result()


async def _onboarding(installed: Installation, name: str) -> None:
    await _repeat_until_taken(lambda: joining.begin(installed, name, joining.SMALL))
    for _ in range(2):
        await joining.act(installed, name)
    await joining.until_ended(installed, name, timeout_seconds=_WITHIN)


async def _of_tasks(installed: Installation, names: Sequence[str]) -> Fate:
    twice = []
    for name in names:
        view = await lookup.find_best_view(
            installed.context.client, installed.context.store, WorkflowName(Kind.TASK, name)
        )
        heard = Counter(line.key for line in view.notifications)
        twice += [Violation(Invariant.NOTICES, name, key) for key, times in heard.items() if times > 1]
        if view.status is not Status.DONE:
            twice.append(Violation(Invariant.OUTCOMES, name, view.status))
    return await determine_fate(installed, "tasks", Kind.TASK, names, twice)


async def _of_onboardings(installed: Installation, names: Sequence[str]) -> Fate:
    violations = [
        violation for name in names for violation in judge_onboarding(await gather_onboarding(installed, name))
    ]
    return await determine_fate(installed, "onboardings", Kind.ONBOARDING, names, violations)


async def _of_campaign(installed: Installation, id: str, kills: int) -> Fate:
    campaign = await gather_campaign(installed, id, kills=kills)
    of_people = [line.request for line in campaign.lines]
    return await determine_fate(installed, "campaign", Kind.REQUEST, of_people, judge_campaign(campaign))
