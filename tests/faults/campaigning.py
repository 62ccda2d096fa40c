"""A campaign in a town: its files, a crowd of one phone each, and what the provider has seen of it so far."""

import asyncio
import json
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.service import RPCError

from activities.campaign.intake import PreparedCampaign, prepare_campaign
from activities.files.reading import FileText
from activities.launch import launch
from activities.launch.doors import CheckContext
from activities.people.directory import UnknownGroup
from activities.policies.catalogue import Catalogue
from starter.queries import campaign as composed
from starter.queries.campaign import CampaignPicture
from starter.queries.fast_forward import forward
from tests.faults.population import REQUESTER, Policy, move_in
from tests.faults.town import Town, eventually, ids
from tests.faults.vendor import PROVIDER, Waiting, instant
from workflows.kinds import Kind
from workflows.model.commands import UPDATES, Cancellation
from workflows.model.views import CampaignShow
from workflows.names import SHOW

OWNER: Final = REQUESTER
EVERYBODY: Final = "all-staff"
CREATE: Final = "create_signature_request"
_LONG: Final = 600.0
_WINDOW: Final = timedelta(days=16)
"""A little more than that of these campaigns."""
_GLANCE: Final = 0.25
_AT_ONCE: Final = 25
"""People between their signature and the end of their request: more at once than that is another test's subject."""
_POLICY: Final[Policy] = {"hours": "any", "reminders": None, "warnings": [], "overdue": None, "grace": "0d"}


def crowd(town: Town, count: int, name: str = "one-of-all", group: str = EVERYBODY) -> list[str]:
    """So many people with a phone each move in, all of one group."""
    names = list(ids(name, count))
    move_in(town.people, names, group)
    return names


def table(town: Town, name: str, content: str | bytes) -> dict[str, str]:
    """The audience of a table, written beside the campaign's file."""
    (town.folder.path / "files" / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return {"file": name}


async def wait_until_known(town: Town, group: str) -> None:
    """Wait until a group is known here: look-ups wait for a changed people file for a second only."""

    async def probe() -> bool:
        try:
            return bool(await town.directory.group(group))
        except UnknownGroup:
            return False

    await eventually(probe, _LONG)


async def prepare_campaign_file(
    town: Town, id: str, audience: Mapping[str, Any] | None = None, **fields: Any
) -> PreparedCampaign:
    """A campaign of a file that was checked; nobody waits for anybody's working hours in it."""
    document = {"file": "contract.pdf", "name": "Code of conduct", "version": "2026.1"}
    content: dict[str, Any] = {
        "id": id,
        "document": document,
        "audience": audience or {"group": EVERYBODY},
        "owner": OWNER,
    }
    if "group" in content["audience"]:
        await wait_until_known(town, content["audience"]["group"])
    file = town.folder.path / "files" / f"{id}.json"
    file.write_text(json.dumps({**content, "window": "14d", "policy": _POLICY, **fields}))
    sources = CheckContext(Catalogue.read(town.settings.policies), town.directory, datetime.now(UTC))
    return await prepare_campaign(FileText.read(file).parse(), sources)


async def begin(town: Town, id: str, audience: Mapping[str, Any] | None = None, **fields: Any) -> launch.StartResult:
    """Start one."""
    return await launch.start(
        town.context.client, town.context.store, await prepare_campaign_file(town, id, audience, **fields)
    )


def handle(town: Town, id: str) -> WorkflowHandle[Any, Any]:
    """The workflow of a campaign."""
    return town.context.client.get_workflow_handle(Kind.CAMPAIGN.workflow_id(id))


async def read_view(town: Town, id: str) -> CampaignShow:
    """What the campaign itself says."""
    view: CampaignShow = await handle(town, id).query(SHOW, result_type=CampaignShow)
    return view


async def picture(town: Town, id: str) -> CampaignPicture:
    """Everyone by status."""
    return await composed.picture(town.context.client, town.context.store, id)


@dataclass
class Watch:
    """What phones have taken, read on from where it was read last: the ledger of a campaign is long."""

    town: Town
    _first_pushes: dict[str, dict[str, datetime]] = field(default_factory=dict)
    _last: int = 0
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read_first_pushes(self, id: str) -> dict[str, datetime]:
        """When each request of a campaign, or the one request of this id, was first shown to whom it asks."""
        async with self._reading:
            entries = await self.town.vendor.ledger(None, self._last)
            self._last = int(entries[-1]["n"]) if entries else self._last
            for entry in entries:
                if entry["type"] == "push" and entry["data"]["stage"] == "ready":
                    request = entry["data"]["request"]
                    self._first_pushes.setdefault(request.partition(".")[0], {}).setdefault(request, instant(entry))
        return self._first_pushes.get(id, {})

    async def until_told(self, id: str, count: int = 1, timeout_seconds: float = _LONG) -> dict[str, datetime]:
        """Once so many people of a campaign were told."""

        async def probe() -> dict[str, datetime] | None:
            await asyncio.sleep(_GLANCE)
            first_pushes = await self.read_first_pushes(id)
            return first_pushes if len(first_pushes) >= count else None

        return await eventually(probe, timeout_seconds)


async def calls_ahead(town: Town, request: str) -> int:
    """How often Core Signature was called for others, from the instant a request was to be made until it was told."""
    [first, *_] = await town.vendor.pushes(request, "ready")
    [document] = await town.vendor.documents(request)
    events = [event async for event in town.handle(request).fetch_history_events()]
    due_at = next(
        event.event_time.ToDatetime(UTC)
        for event in events
        if event.activity_task_scheduled_event_attributes.activity_type.name == CREATE
    )
    calls = [call for call in await town.vendor.ledger("request") if call["path"].startswith(PROVIDER)]
    meanwhile = [call for call in calls if due_at <= instant(call) and call["n"] < first["n"]]
    return sum(request not in str(call) and document["uuid"] not in str(call) for call in meanwhile)


async def act(town: Town, id: str, people: Collection[str], *, decline: Collection[str] = ()) -> None:
    """Let these people of a campaign sign, or decline: some at a time, until each of their requests has ended."""
    room, request_ids = asyncio.Semaphore(_AT_ONCE), {f"{id}.{person}" for person in (*people, *decline)}
    declining = {f"{id}.{person}" for person in decline}

    async def act_on(waiting: Waiting) -> None:
        async with room:
            if waiting.request in declining:
                await town.vendor.decline(waiting, "I do not agree")
            else:
                await town.vendor.sign(waiting)
            await town.handle(waiting.request).result()

    async def list_asked() -> list[Waiting] | None:
        waiting = [signer for signer in await town.vendor.waiting() if signer.request in request_ids]
        return waiting if len(waiting) == len(request_ids) else None

    await asyncio.gather(*map(act_on, await eventually(list_asked, _LONG)))


async def cancel_campaign(
    town: Town, id: str, cancellation: Cancellation, timeout_seconds: float = _LONG
) -> CampaignShow:
    """End a campaign before its time, and wait until it has its record and everyone was told."""
    await handle(town, id).execute_update(UPDATES[Cancellation], cancellation, id=f"end-{id}")
    await asyncio.wait_for(handle(town, id).result(), timeout_seconds)
    return await read_view(town, id)


async def read_record(town: Town, id: str) -> CampaignShow:
    """Let the window of a campaign pass, and wait until it has its record."""
    await forward(town.context.client, Kind.CAMPAIGN.workflow_id(id), _WINDOW, time_limit=timedelta(hours=1))
    return await wait_until(town, id, lambda view: view.outcomes)


async def wait_until(town: Town, id: str, holds: Any, timeout_seconds: float = _LONG) -> CampaignShow:
    """What a campaign says once this holds, whoever dies meanwhile."""

    async def probe() -> CampaignShow | None:
        await asyncio.sleep(_GLANCE)
        try:
            view = await read_view(town, id)
        except (RPCError, WorkflowUpdateFailedError):
            return None
        return view if holds(view) else None

    return await eventually(probe, timeout_seconds)


async def die_in_turn(town: Town, victims: Sequence[str], dice: random.Random, pause_at_most: float = 2.0) -> None:
    """kill -9 these one after the other, each a random while after everybody was at work again."""
    for victim in victims:
        await asyncio.sleep(dice.uniform(0.2, pause_at_most))
        await town.kill(victim)
        await town.start(victim)
