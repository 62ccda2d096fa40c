"""An onboarding in a town: its file, and people who do what is theirs while processes die."""

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.service import RPCError

from activities.launch import launch
from activities.onboarding.intake import PreparedOnboarding
from starter.cli import start_files
from tests.faults.population import REQUESTER, colleague
from tests.faults.town import TEMPORAL, WORKER, Town, eventually
from workflows.kinds import Kind
from workflows.model.commands import UPDATES, TaskCompletion
from workflows.model.views import OnboardingShow, PartLine
from workflows.names import SHOW

CUSTOMER: Final = colleague(1)
TEAM: Final = colleague(2)
_WITHIN: Final = 120.0


def an_agreement(name: str) -> dict[str, Any]:
    """An agreement that the customer signs."""
    document = {"file": "contract.pdf", "name": name}
    return {"kind": "customer-contract", "document": document, "signers": [{"person": "customer"}]}


def news(text: str) -> dict[str, str]:
    """News for the customer."""
    return {"to": "customer", "text": text}


WHOLE: Final[Sequence[dict[str, Any]]] = (
    {"name": "agreements", "agreements": [an_agreement("Terms"), an_agreement("Data")], "notices": [news("Hello.")]},
    {
        "name": "set-up",
        "tasks": [{"title": f"Task {n}", "team": "operations", "tell_customer": n == 1} for n in (1, 2, 3)],
    },
    {"name": "details", "steps": [{"title": "Invoices"}, {"title": "Your domain"}]},
    {"name": "live", "notices": [news("Your service is active."), news("Welcome.")]},
)
"""Two agreements, three tasks, two steps, three notices."""
SMALL: Final[Sequence[dict[str, Any]]] = (
    {"name": "agreements", "agreements": [an_agreement("Terms")]},
    {"name": "set-up", "tasks": [{"title": "Account", "team": "operations", "tell_customer": True}]},
    {"name": "live", "notices": [news("Welcome.")]},
)


async def prepare_onboarding_file(town: Town, id: str, stages: Sequence[dict[str, Any]]) -> PreparedOnboarding:
    """An onboarding of a file that was checked."""
    file = _written(town.folder.path / "files" / f"{id}.json", {"id": id, "stages": list(stages)})
    prepared: PreparedOnboarding = await start_files.read(town.settings, file, kind=Kind.ONBOARDING)
    return prepared


def _written(file: Path, fields: Mapping[str, Any]) -> str:
    customer = {"name": "Acme", "person": CUSTOMER}
    document = {"customer": customer, "owner": REQUESTER, "teams": {"operations": TEAM}, **fields}
    file.write_text(json.dumps(document))
    return str(file)


async def begin(town: Town, id: str, stages: Sequence[dict[str, Any]]) -> None:
    """Start one."""
    await launch.start(town.context.client, town.context.store, await prepare_onboarding_file(town, id, stages))


async def act(town: Town, id: str) -> str:
    """Have whoever is asked do the first part that is open; which one, once that is taken, whoever dies meanwhile."""
    return await eventually(lambda: _act(town, id), timeout_seconds=_WITHIN)


async def _act(town: Town, id: str) -> str | None:
    try:
        view = await _read_view(town, id)
        opened = [part for stage in view.stages for part in stage.parts if part.state == "open"]
        return opened[0].id if opened and await _do(town, opened[0]) else None
    except (RPCError, WorkflowUpdateFailedError):
        return None  # somebody is dead, or it was taken before


async def _do(town: Town, part: PartLine) -> bool:
    workflow_id = part.workflow or ""
    if workflow_id.startswith(Kind.REQUEST.spec.prefix):
        waiting = await town.vendor.waiting(workflow_id.partition(":")[2])
        return bool(waiting) and await town.vendor.sign(waiting[0])
    person = CUSTOMER if part.team == "customer" else TEAM
    handle = town.context.client.get_workflow_handle(workflow_id)
    await handle.execute_update(UPDATES[TaskCompletion], TaskCompletion(actor=person), id=f"done-{part.id}")
    return True


async def _read_view(town: Town, id: str) -> OnboardingShow:
    handle = town.context.client.get_workflow_handle(Kind.ONBOARDING.workflow_id(id))
    view: OnboardingShow = await handle.query(SHOW, result_type=OnboardingShow)
    return view


async def kill_in_between(town: Town, id: str, actions: int, victims: Sequence[str], dice: random.Random) -> None:
    """Have all parts done one after the other, and kill these in between, each a random while after an action."""
    victims_by_action: list[list[str]] = [[] for _ in range(actions)]
    for number, victim in enumerate(victims):
        victims_by_action[number * actions // len(victims)].append(victim)
    for several in victims_by_action:
        await act(town, id)
        for victim in several:
            await _a_random_while(dice)
            await town.kill(victim)
            await town.start(victim)


async def _a_random_while(dice: random.Random) -> None:
    await asyncio.sleep(dice.uniform(0, 1.5))


async def until_ended(town: Town, id: str, timeout_seconds: float = _WITHIN) -> None:
    """Until everyone concerned was told how it ended, by the onboarding and by each of its parts."""

    async def is_completed(workflow_id: str) -> bool:
        described = await town.context.client.get_workflow_handle(workflow_id).describe()
        return described.status is WorkflowExecutionStatus.COMPLETED

    await eventually(lambda: is_completed(Kind.ONBOARDING.workflow_id(id)), timeout_seconds)
    view = await _read_view(town, id)
    for workflow_id in [part.workflow for stage in view.stages for part in stage.parts if part.workflow]:
        await eventually(partial(is_completed, workflow_id), timeout_seconds)


def deaths(workers: int, servers: int, dice: random.Random) -> list[str]:
    """Whom to kill, in random order."""
    victims = [WORKER] * workers + [TEMPORAL] * servers
    dice.shuffle(victims)
    return victims
