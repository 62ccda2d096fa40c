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
from tests.bench.onboarding_floor import FLOOR, PROMPT, OnboardingFloor, OnboardingFloorInput, Stage
from tests.bench.stakeholders import PromptHandoff, PromptPushService
from tests.servers import real_server
from workflows import names
from workflows.kinds import Kind
from workflows.model.hand_off import SettledRequest, SettledTask
from workflows.model.onboarding import (
    Onboarding,
    PartKind,
    PartPlan,
    PartSnapshots,
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

    async def start(self, order: PartsToStart) -> PartSnapshots:
        """All of them live."""
        return PartSnapshots(parts=())

    async def read(self, parts: PartsToLookAt) -> PartSnapshots:
        """None has ended."""
        return PartSnapshots(parts=())

    async def end(self, parts: PartsToEnd) -> None:
        """Nobody ends the measured parts."""
        raise AssertionError(parts.reason)


@dataclass(frozen=True)
class OnboardingHistorySize:
    """What one left behind; `looks` are events of the timer for the look at silent parts, not among `events`."""

    actions: float
    events: float
    size: float
    looks: float
    cpu_ms: float


@dataclass(frozen=True)
class OnboardingComparison:
    """Ours beside the floor."""

    product: OnboardingHistorySize
    floor: OnboardingHistorySize
    page_ms: tuple[float, float] | None = None
    """Of the customer's page, and of a static one."""

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        pairs = {"actions": "actions", "events": "events", "bytes": "size", "cpu_ms": "cpu_ms"}
        figures = {
            f"{NAME}.{name}": _compare(getattr(self.product, field), getattr(self.floor, field))
            for name, field in pairs.items()
        }
        return figures | ({_PAGE: _compare(*self.page_ms)} if self.page_ms else {})

    @property
    def events_a_part(self) -> float:
        """Events of the onboarding for each of its parts, looks apart."""
        return self.product.events / sum(count for *_, count in _STAGES)

    def in_words(self) -> Text:
        """A line a figure, green when the aim was met."""
        lines = Text()
        for name, figure in self.as_json().items():
            aim = _PAGE_AIM if name == _PAGE else AIM
            is_met = figure["ratio"] <= aim
            line = (
                f"{name}: {figure['ours']:.5g} beside {figure['floor']:.5g}, {figure['ratio']:.2f} × (aim ≤ {aim} ×)\n"
            )
            lines.append(line, style="green" if is_met else "red")
        is_met = self.events_a_part <= EVENTS_A_PART
        events = f"{self.events_a_part:.1f} (aim ≤ {EVENTS_A_PART})"
        line = f"events a part: {events}, {self.product.looks:.0f} of looks apart\n"
        return lines.append(line, style="green" if is_met else "red")


async def with_page() -> OnboardingComparison:
    """All figures: what is written, and how fast the customer's page comes."""
    return replace(await measure(), page_ms=await journey.page_ms())


async def measure(pairs: int = _PAIRS, size: int = SIZE, *, signers: int = 1) -> OnboardingComparison:
    """Some seconds on a fresh server; the two take turns. Of agreements with more `signers` ours hears of each turn."""
    rounds_by_contender: dict[bool, list[OnboardingHistorySize]] = {True: [], False: []}
    async with AsyncExitStack() as stack, asyncio.timeout(_AT_MOST):
        quiet = ("--output", "none", "--log-level", "never")
        env = await stack.enter_async_context(real_server(*quiet, converter=data_converter(())))
        ports = (PromptParts(), PromptPushService(), PromptHandoff())
        prompt: list[Callable[..., Any]] = [
            *(port_activity for port in ports for port_activity in port.activities()),
            *PROMPT,
        ]
        workflows = [CustomerOnboardingWorkflow, OnboardingFloor]
        worker = Worker(env.client, task_queue=names.WORKFLOW_QUEUE, workflows=workflows, activities=prompt)
        await stack.enter_async_context(worker)
        await _round(env.client, True, "warm", 1)
        await _round(env.client, False, "warm", 1)
        for pair in range(pairs):
            for of_ours in (pair % 2 == 0, pair % 2 == 1):
                rounds_by_contender[of_ours].append(await _round(env.client, of_ours, f"{pair}", size, signers))
    return OnboardingComparison(_best(rounds_by_contender[True]), _best(rounds_by_contender[False]))


def _best(rounds: list[OnboardingHistorySize]) -> OnboardingHistorySize:
    return min(rounds, key=lambda round_size: round_size.cpu_ms)


async def _round(client: Client, of_ours: bool, name: str, size: int, signers: int = 1) -> OnboardingHistorySize:
    spent = processor_time.spent_ms()
    handles = await asyncio.gather(
        *(_run_onboarding(client, of_ours, f"{name}-{number}", signers) for number in range(size))
    )
    spent = processor_time.spent_ms() - spent
    history = await handles[0].fetch_history()
    count = Counter(event.event_type for event in history.events)
    looks = sum(count[kind] for kind in _LOOKS)
    return OnboardingHistorySize(
        actions=actions(history) - count[_LOOKS[0]],
        events=len(history.events) - looks,
        size=sum(event.ByteSize() for event in history.events if event.event_type not in _LOOKS),
        looks=looks,
        cpu_ms=spent / size,
    )


async def _run_onboarding(client: Client, of_ours: bool, id: str, signers: int) -> WorkflowHandle[Any, Any]:
    """One onboarding from its start to its end, told part by part."""
    start = _start_product if of_ours else _start_floor
    handle = await start(client, id)
    for number, (_, part_kind, count) in enumerate(_STAGES, start=1):
        for part in range(1, count + 1):
            if part_kind is PartKind.NOTICE:
                continue
            part_id = f"{id}.{number}.{part}"
            await _until_begun(handle, of_ours, number)
            for signer in range(1, signers) if of_ours and part_kind is PartKind.AGREEMENT else ():
                waits = WaitingFor(person=f"signer-of-{part_id}-{signer}", since=_NOW)
                turn = PartTurn(id=part_id, at=datetime.now(UTC), waiting_for=(waits,))
                await handle.signal(names.PART_TURN, turn)
                await _until_begun(handle, of_ours, number)
            if not of_ours:
                await handle.signal("ended", part_id)
            elif part_kind is PartKind.AGREEMENT:
                settled = SettledRequest(
                    request=part_id, kind="contract", outcome=Status.SIGNED, at=_NOW, external_id=part_id, signers=()
                )
                await handle.signal(names.SIGNATURE_SETTLED, settled)
            else:
                settled_task = SettledTask(task=part_id, kind="team-task", outcome=Status.DONE, at=_NOW, by="somebody")
                await handle.signal(names.TASK_SETTLED, settled_task)
    await handle.result()
    return handle


async def _until_begun(handle: WorkflowHandle[Any, Any], of_ours: bool, stage: int) -> None:
    """Parts end after they were begun, and one after the other: never two in one task."""
    event_count = -1
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
        if idle and len(kinds) == event_count:
            return
        event_count = len(kinds)
        await asyncio.sleep(0.01)


async def _start_product(client: Client, id: str) -> WorkflowHandle[Any, Any]:
    stages = tuple(
        StagePlan(
            name=name,
            parts=tuple(
                PartPlan(
                    id=f"{part_kind}-{number}",
                    what=part_kind,
                    number=number,
                    title="Create the account",
                    kind="contract",
                    asked=("customer-signer",),
                )
                for number in range(1, count + 1)
            ),
        )
        for name, part_kind, count in _STAGES
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
    onboarding_input = OnboardingInput(onboarding=onboarding, policy=policy, fingerprint="5c" * 32, stages=stages)
    return await client.start_workflow(
        names.CUSTOMER_ONBOARDING,
        onboarding_input,
        id=Kind.ONBOARDING.workflow_id(id),
        task_queue=names.WORKFLOW_QUEUE,
        search_attributes=search_attributes(onboarding_input, None, datetime.now(UTC)),
    )


async def _start_floor(client: Client, id: str) -> WorkflowHandle[Any, Any]:
    stages = []
    for number, (_, part_kind, count) in enumerate(_STAGES, start=1):
        parts = tuple(f"{id}.{number}.{part}" for part in range(1, count + 1))
        runs = part_kind is not PartKind.NOTICE
        stages.append(
            Stage(
                parts=parts if runs else (),
                news=() if runs else ("customer-signer",) * count,
            )
        )
    onboarding_input = OnboardingFloorInput(id=id, stages=tuple(stages), targets=("crm", "account-executive"))
    return await client.start_workflow(FLOOR, onboarding_input, id=f"floor:{id}", task_queue=names.WORKFLOW_QUEUE)


def _compare(product: float, floor: float) -> dict[str, float]:
    return {"ours": round(product, 1), "floor": round(floor, 1), "ratio": round(product / floor, 3)}
