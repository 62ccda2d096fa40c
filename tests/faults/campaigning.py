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
from activities.launch import launch as path
from activities.launch.doors import Sources
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


async def known(town: Town, group: str) -> None:
    """Wait until a group is known here: look-ups wait for a changed people file for a second only."""

    async def probe() -> bool:
        try:
            return bool(await town.directory.group(group))
        except UnknownGroup:
            return False

    await eventually(probe, _LONG)


async def prepared(town: Town, id: str, audience: Mapping[str, Any] | None = None, **more: Any) -> PreparedCampaign:
    """A campaign of a file that was checked; nobody waits for anybody's working hours in it."""
    document = {"file": "contract.pdf", "name": "Code of conduct", "version": "2026.1"}
    content: dict[str, Any] = {
        "id": id,
        "document": document,
        "audience": audience or {"group": EVERYBODY},
        "owner": OWNER,
    }
    if "group" in content["audience"]:
        await known(town, content["audience"]["group"])
    file = town.folder.path / "files" / f"{id}.json"
    file.write_text(json.dumps({**content, "window": "14d", "policy": _POLICY, **more}))
    sources = Sources(Catalogue.read(town.settings.policies), town.directory, datetime.now(UTC))
    return await prepare_campaign(FileText.read(file).parse(), sources)


async def begin(town: Town, id: str, audience: Mapping[str, Any] | None = None, **more: Any) -> path.StartResult:
    """Start one."""
    return await path.start(town.context.client, town.context.store, await prepared(town, id, audience, **more))


def handle(town: Town, id: str) -> WorkflowHandle[Any, Any]:
    """The workflow of a campaign."""
    return town.context.client.get_workflow_handle(Kind.CAMPAIGN.workflow_id(id))


async def shown(town: Town, id: str) -> CampaignShow:
    """What the campaign itself says."""
    says: CampaignShow = await handle(town, id).query(SHOW, result_type=CampaignShow)
    return says


async def picture(town: Town, id: str) -> CampaignPicture:
    """Everyone by status."""
    return await composed.picture(town.context.client, town.context.store, id)


@dataclass
class Watch:
    """What phones have taken, read on from where it was read last: the ledger of a campaign is long."""

    town: Town
    _told: dict[str, dict[str, datetime]] = field(default_factory=dict)
    _last: int = 0
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def told(self, id: str) -> dict[str, datetime]:
        """When each request of a campaign, or the one request of this id, was first shown to whom it asks."""
        async with self._reading:
            found = await self.town.vendor.ledger(None, self._last)
            self._last = int(found[-1]["n"]) if found else self._last
            for one in found:
                if one["type"] == "push" and one["data"]["stage"] == "ready":
                    request = one["data"]["request"]
                    self._told.setdefault(request.partition(".")[0], {}).setdefault(request, instant(one))
        return self._told.get(id, {})

    async def until_told(self, id: str, count: int = 1, within: float = _LONG) -> dict[str, datetime]:
        """Once so many people of a campaign were told."""

        async def probe() -> dict[str, datetime] | None:
            await asyncio.sleep(_GLANCE)
            told = await self.told(id)
            return told if len(told) >= count else None

        return await eventually(probe, within)


async def calls_ahead(town: Town, request: str) -> int:
    """How often Core Signature was called for others, from the instant a request was to be made until it was told."""
    [first, *_] = await town.vendor.pushes(request, "ready")
    [document] = await town.vendor.documents(request)
    events = [event async for event in town.handle(request).fetch_history_events()]
    wanted = next(
        event.event_time.ToDatetime(UTC)
        for event in events
        if event.activity_task_scheduled_event_attributes.activity_type.name == CREATE
    )
    calls = [one for one in await town.vendor.ledger("request") if one["path"].startswith(PROVIDER)]
    meanwhile = [one for one in calls if wanted <= instant(one) and one["n"] < first["n"]]
    return sum(request not in str(one) and document["uuid"] not in str(one) for one in meanwhile)


async def act(town: Town, id: str, people: Collection[str], *, decline: Collection[str] = ()) -> None:
    """Let these people of a campaign sign, or decline: some at a time, until each of their requests has ended."""
    room, asked = asyncio.Semaphore(_AT_ONCE), {f"{id}.{person}" for person in (*people, *decline)}
    declining = {f"{id}.{person}" for person in decline}

    async def one(waiting: Waiting) -> None:
        async with room:
            if waiting.request in declining:
                await town.vendor.decline(waiting, "I do not agree")
            else:
                await town.vendor.sign(waiting)
            await town.handle(waiting.request).result()

    waiting = [one for one in await town.vendor.waiting() if one.request in asked]
    assert len(waiting) == len(asked), f"{len(asked) - len(waiting)} of them are asked for nothing"
    await asyncio.gather(*map(one, waiting))


async def ended(town: Town, id: str, wanted: Cancellation, within: float = _LONG) -> CampaignShow:
    """End a campaign before its time, and wait until it has its record and everyone was told."""
    await handle(town, id).execute_update(UPDATES[Cancellation], wanted, id=f"end-{id}")
    await asyncio.wait_for(handle(town, id).result(), within)
    return await shown(town, id)


async def closed(town: Town, id: str) -> CampaignShow:
    """Let the window of a campaign pass, and wait until it has its record."""
    await forward(town.context.client, Kind.CAMPAIGN.workflow_id(id), _WINDOW, within=timedelta(hours=1))
    return await until(town, id, lambda shown: shown.outcomes)


async def until(town: Town, id: str, holds: Any, within: float = _LONG) -> CampaignShow:
    """What a campaign says once this holds, whoever dies meanwhile."""

    async def probe() -> CampaignShow | None:
        await asyncio.sleep(_GLANCE)
        try:
            says = await shown(town, id)
        except (RPCError, WorkflowUpdateFailedError):
            return None
        return says if holds(says) else None

    return await eventually(probe, within)


async def die_in_turn(town: Town, victims: Sequence[str], dice: random.Random, most: float = 2.0) -> None:
    """kill -9 these one after the other, each a random while after everybody was at work again."""
    for victim in victims:
        await asyncio.sleep(dice.uniform(0.2, most))
        await town.kill(victim)
        await town.start(victim)
