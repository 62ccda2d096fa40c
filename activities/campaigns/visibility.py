"""What Temporal's visibility knows of the requests of a campaign; it lags, and it forgets what has ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from temporalio.client import Client

from activities import runs
from workflows import names
from workflows.kinds import Kind
from workflows.model.subject import Code, Status

_HOPEFUL: Final = " AND ".join(f"{names.PROBLEM.name} != '{code}'" for code in (Code.REFUSED, Code.DIRECTORY))
_NOT_REFUSED: Final = f"({names.PROBLEM.name} IS NULL OR ({_HOPEFUL}))"
"""Whoever is refused, or has left the people file, waits for a person of ours: nobody else is to wait for them."""


@dataclass(frozen=True)
class OpenMembers:
    """The requests of a campaign that have not ended by themselves, by their ids."""

    status: Mapping[str, str] = field(default_factory=dict)
    """`CsStatus` of those that go on."""
    broken: Mapping[str, str] = field(default_factory=dict)
    """How the others were broken off."""
    refused: frozenset[str] = frozenset()
    """Those of which Core Signature makes no document; they ask it again by themselves."""


class MemberVisibility(Protocol):
    """Where is looked; both may raise `RPCError`."""

    async def open_of(self, campaign: str) -> OpenMembers:
        """All of a campaign's."""
        ...

    async def waiting(self, campaign: str) -> int:
        """How many of them wait to be made at Core Signature, which has not refused them."""
        ...


@dataclass(frozen=True)
class TemporalMemberVisibility:
    """See `MemberVisibility`; of 10,000 open requests it takes ten pages."""

    client: Client

    async def open_of(self, campaign: str) -> OpenMembers:
        """See `MemberVisibility`."""
        return await self._found(campaign, runs.OPEN)

    async def other_than_told(self, campaign: str) -> OpenMembers:
        """Those of them who stand otherwise than whoever was told and has not acted: most never are asked for."""
        words = ", ".join(f"'{status}'" for status in (Status.CONVERTING, Status.VIEWED))
        found = await self._found(campaign, f"({runs.OPEN} AND {names.STATUS.name} IN ({words}))")
        # A run that was broken off may have another one after it, which is in all of those that go on.
        return await self.open_of(campaign) if found.broken else found

    async def going_on(self, campaign: str) -> int:
        """How many of them go on."""
        return (await self.client.count_workflows(f"{_of(campaign)} AND {runs.OPEN}")).count

    async def _found(self, campaign: str, going_on: str) -> OpenMembers:
        query = f"{_of(campaign)} AND ({going_on} OR ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut'))"
        status: dict[str, str] = {}
        broken: dict[str, str] = {}
        refused: set[str] = set()
        async for run in runs.listed(self.client, query):
            id = run.id.partition(":")[2]
            if run.status.broken_off:
                broken[id] = str(run.status)
            else:
                status[id] = run.known.get(names.STATUS) or ""
                waits, why = status[id] == Status.CONVERTING, run.known.get(names.PROBLEM)
                refused |= {id} if waits and why == Code.REFUSED else set()
        return OpenMembers(status, {id: how for id, how in broken.items() if id not in status}, frozenset(refused))

    async def waiting(self, campaign: str) -> int:
        """See `MemberVisibility`."""
        query = f"{_of(campaign)} AND {names.STATUS.name} = '{Status.CONVERTING}' AND {runs.OPEN} AND {_NOT_REFUSED}"
        return (await self.client.count_workflows(query)).count


def _of(campaign: str) -> str:
    return f"{names.PARENT.name} = '{Kind.CAMPAIGN.workflow_id(campaign)}'"
