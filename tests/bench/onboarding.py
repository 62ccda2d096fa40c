"""`make bench BENCH=onboarding`: what joining 2 agreements, 3 tasks, 2 steps and 3 notices costs above the parts alone.

The parts are the same for both, so none is run: each of the two is told by signals that they have ended.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from rich.text import Text
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.launch.launch import search_attributes
from starter.temporal.codec import data_converter
from tests.bench import journey, processor_time
from tests.bench.history import actions
from tests.bench.onboarding_floor import FLOOR, PROMPT, Joined, OnboardingFloor, Stage
from tests.bench.stakeholders import PromptHandoff, PromptPushService
from tests.servers import real_server
from workflows import names
from workflows.kinds import Kind
from workflows.model.hand_off import Settled, SettledTask
from workflows.model.onboarding import (
    Onboarding,
    PartKind,
    PartPlan,
    PartsSeen,
    PartsToEnd,
    PartsToLookAt,
    PartsToStart,
    StagePlan,
)
from workflows.model.policy import Policy, Target
from workflows.model.subject import Participant, Role, Status
from workflows.model.views import PartTurn, WaitingFor
from workflows.onboarding.state import OnboardingInput
from workflows.onboarding.workflow import CustomerOnboardingWorkflow
from workflows.ports import OnboardingParts

NAME: Final = "onboarding"
AIM: Final = 1.25
EVENTS_A_PART: Final = 6
_PAGE: Final = "journey.page_ms"
_PAGE_AIM: Final = 3
SIZE: Final = 20
"""Onboardings of a round, for /proc's 10 ms."""
_PAIRS: Final = 3
_AT_MOST: Final = 120
_NOW: Final = datetime(2026, 11, 2, 9, tzinfo=UTC)
_LOOKS: Final = (EventType.EVENT_TYPE_TIMER_STARTED, EventType.EVENT_TYPE_TIMER_CANCELED)
_TEAMS: Final = ("operations-desk", "success-desk")
_STAGES: Final = (
    ("agreements", PartKind.AGREEMENT, 2),
    ("account set-up", PartKind.TASK, 3),
    ("your details", PartKind.STEP, 2),
    ("live", PartKind.NOTICE, 3),
)


class PromptParts(OnboardingParts):
    """Parts that live as soon as they are started."""

    async def start(self, order: PartsToStart) -> PartsSeen:
        """All of them live."""
        return PartsSeen(parts=())

    async def read(self, parts: PartsToLookAt) -> PartsSeen:
        """None has ended."""
        return PartsSeen(parts=())

    async def end(self, parts: PartsToEnd) -> None:
        """Nobody ends the measured parts."""
        raise AssertionError(parts.reason)


@dataclass(frozen=True)
class Written:
    """What one left behind; `looks` are events of the timer for the look at silent parts, not among `events`."""

    actions: float
    events: float
    size: float
    looks: float
    cpu_ms: float


@dataclass(frozen=True)
class Beside:
    """Ours beside the floor."""

    ours: Written
    floor: Written
    page_ms: tuple[float, float] | None = None
    """Of the customer's page, and of a static one."""

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        pairs = {"actions": "actions", "events": "events", "bytes": "size", "cpu_ms": "cpu_ms"}
        figures = {
            f"{NAME}.{name}": _compared(getattr(self.ours, field), getattr(self.floor, field))
            for name, field in pairs.items()
        }
        return figures | ({_PAGE: _compared(*self.page_ms)} if self.page_ms else {})

    @property
    def events_a_part(self) -> float:
        """Events of the onboarding for each of its parts, looks apart."""
        return self.ours.events / sum(count for *_, count in _STAGES)

    def in_words(self) -> Text:
        """A line a figure, green when the aim was met."""
        lines = Text()
        for name, one in self.as_json().items():
            aim = _PAGE_AIM if name == _PAGE else AIM
            met = one["ratio"] <= aim
            says = f"{name}: {one['ours']:.5g} beside {one['floor']:.5g}, {one['ratio']:.2f} × (aim ≤ {aim} ×)\n"
            lines.append(says, style="green" if met else "red")
        met = self.events_a_part <= EVENTS_A_PART
        says = (
            f"events a part: {self.events_a_part:.1f} (aim ≤ {EVENTS_A_PART}), {self.ours.looks:.0f} of looks apart\n"
        )
        return lines.append(says, style="green" if met else "red")


async def with_page() -> Beside:
    """All figures: what is written, and how fast the customer's page comes."""
    return replace(await measure(), page_ms=await journey.page_ms())


async def measure(pairs: int = _PAIRS, size: int = SIZE, *, signers: int = 1) -> Beside:
    """Some seconds on a fresh server; the two take turns. Of agreements with more `signers` ours hears of each turn."""
    found: dict[bool, list[Written]] = {True: [], False: []}
    async with AsyncExitStack() as stack, asyncio.timeout(_AT_MOST):
        quiet = ("--output", "none", "--log-level", "never")
        env = await stack.enter_async_context(real_server(*quiet, converter=data_converter(())))
        ours = (PromptParts(), PromptPushService(), PromptHandoff())
        prompt: list[Callable[..., Any]] = [*(one for port in ours for one in port.activities()), *PROMPT]
        both = [CustomerOnboardingWorkflow, OnboardingFloor]
        worker = Worker(env.client, task_queue=names.WORKFLOW_QUEUE, workflows=both, activities=prompt)
        await stack.enter_async_context(worker)
        await _round(env.client, True, "warm", 1)
        await _round(env.client, False, "warm", 1)
        for pair in range(pairs):
            for of_ours in (pair % 2 == 0, pair % 2 == 1):
                found[of_ours].append(await _round(env.client, of_ours, f"{pair}", size, signers))
    return Beside(_best(found[True]), _best(found[False]))


def _best(rounds: list[Written]) -> Written:
    return min(rounds, key=lambda one: one.cpu_ms)


async def _round(client: Client, of_ours: bool, name: str, size: int, signers: int = 1) -> Written:
    spent = processor_time.spent_ms()
    handles = await asyncio.gather(*(_one(client, of_ours, f"{name}-{number}", signers) for number in range(size)))
    spent = processor_time.spent_ms() - spent
    history = await handles[0].fetch_history()
    count = Counter(event.event_type for event in history.events)
    looks = sum(count[kind] for kind in _LOOKS)
    return Written(
        actions=actions(history) - count[_LOOKS[0]],
        events=len(history.events) - looks,
        size=sum(event.ByteSize() for event in history.events if event.event_type not in _LOOKS),
        looks=looks,
        cpu_ms=spent / size,
    )


async def _one(client: Client, of_ours: bool, id: str, signers: int) -> WorkflowHandle[Any, Any]:
    """One onboarding from its start to its end, told part by part."""
    start = _ours if of_ours else _floor
    handle = await start(client, id)
    for number, (_, what, count) in enumerate(_STAGES, start=1):
        for part in range(1, count + 1):
            if what is PartKind.NOTICE:
                continue
            ended = f"{id}.{number}.{part}"
            await _until_begun(handle, of_ours, number)
            for signer in range(1, signers) if of_ours and what is PartKind.AGREEMENT else ():
                waits = WaitingFor(person=f"signer-of-{ended}-{signer}", since=_NOW)
                turn = PartTurn(id=ended, at=datetime.now(UTC), waiting_for=(waits,))
                await handle.signal(names.PART_TURN, turn)
                await _until_begun(handle, of_ours, number)
            if not of_ours:
                await handle.signal("ended", ended)
            elif what is PartKind.AGREEMENT:
                settled = Settled(
                    request=ended, kind="contract", outcome=Status.SIGNED, at=_NOW, external_id=ended, signers=()
                )
                await handle.signal(names.SIGNATURE_SETTLED, settled)
            else:
                done = SettledTask(task=ended, kind="team-task", outcome=Status.DONE, at=_NOW, by="somebody")
                await handle.signal(names.TASK_SETTLED, done)
    await handle.result()
    return handle


async def _until_begun(handle: WorkflowHandle[Any, Any], of_ours: bool, stage: int) -> None:
    """Parts end after they were begun, and one after the other: never two in one task."""
    seen = -1
    while True:
        history = await handle.fetch_history()
        kinds = [event.event_type for event in history.events]
        idle = kinds[-1] not in (
            EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
            EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
            EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
            EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED,
            EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
        )
        if idle and len(kinds) == seen:
            return
        seen = len(kinds)
        await asyncio.sleep(0.01)


async def _ours(client: Client, id: str) -> WorkflowHandle[Any, Any]:
    stages = tuple(
        StagePlan(
            name=name,
            parts=tuple(
                PartPlan(
                    id=f"{what}-{number}",
                    what=what,
                    number=number,
                    title="Create the account",
                    kind="contract",
                    asked=("customer-signer",),
                )
                for number in range(1, count + 1)
            ),
        )
        for name, what, count in _STAGES
    )
    onboarding = Onboarding(
        id=id,
        kind="customer-onboarding",
        title="Acme",
        requester="account-executive",
        people=(Participant(person="customer-signer", role=Role.DO),),
        told=_TEAMS,
    )
    policy = Policy(handoff=(Target(target="crm", url="https://crm.example/hooks"),))
    given = OnboardingInput(onboarding=onboarding, policy=policy, fingerprint="5c" * 32, stages=stages)
    return await client.start_workflow(
        names.CUSTOMER_ONBOARDING,
        given,
        id=Kind.ONBOARDING.workflow_id(id),
        task_queue=names.WORKFLOW_QUEUE,
        search_attributes=search_attributes(given, None, datetime.now(UTC)),
    )


async def _floor(client: Client, id: str) -> WorkflowHandle[Any, Any]:
    stages = []
    for number, (_, what, count) in enumerate(_STAGES, start=1):
        parts = tuple(f"{id}.{number}.{part}" for part in range(1, count + 1))
        runs = what is not PartKind.NOTICE
        stages.append(
            Stage(
                parts=parts if runs else (),
                news=() if runs else ("customer-signer",) * count,
            )
        )
    given = Joined(id=id, stages=tuple(stages), targets=("crm", "account-executive"))
    return await client.start_workflow(FLOOR, given, id=f"floor:{id}", task_queue=names.WORKFLOW_QUEUE)


def _compared(ours: float, floor: float) -> dict[str, float]:
    return {"ours": round(ours, 1), "floor": round(floor, 1), "ratio": round(ours / floor, 3)}
