"""What is known of the open requests of a campaign, beside the settled records: Temporal's visibility lists the unusual
ones, and is asked about all only where the numbers do not agree.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from temporalio.client import Client

from activities.records.outcomes import (
    ANOTHERS,
    TERMINATED,
    UNRECORDED,
    MemberLines,
    MemberOutcome,
    MemberState,
    MemberStatus,
)
from activities.records.store import Store
from activities.temporal import executions
from workflows import names
from workflows.kinds import Kind
from workflows.model.campaign import CampaignOrder
from workflows.model.subject import Code, Status

_HOPEFUL: Final = " AND ".join(f"{names.PROBLEM.name} != '{code}'" for code in (Code.REFUSED, Code.DIRECTORY))
_NOT_REFUSED: Final = f"({names.PROBLEM.name} IS NULL OR ({_HOPEFUL}))"
"""A refused person, or one who left the people file, waits for an operator: others must not wait for them."""
_BROKEN_OFF: Final = "its workflow was {}"
_BROKEN: Final = {_BROKEN_OFF.format(status) for status in executions.RunStatus if status.broken_off}
_LOST: Final = MemberState(MemberStatus.FAILED, "there is neither a workflow nor a record of it")
_REFUSED: Final = MemberState(MemberStatus.FAILED, "Core Signature refuses it: `request show` says why")
_STATES: Final[Mapping[str, MemberState]] = {
    Status.VIEWED: MemberState(MemberStatus.OPENED),
    Status.CONVERTING: MemberState(MemberStatus.NOT_TOLD),
}
GOES_ON: Final = MemberState(MemberStatus.TOLD)
_ASKED_AT_ONCE: Final = 25
"""Workflows unknown to visibility that are described concurrently."""


def is_broken_off(state: MemberState | MemberOutcome) -> bool:
    """Whether a request broke off, and Temporal still has its input."""
    return state.reason in _BROKEN


def is_lost(state: MemberState | MemberOutcome) -> bool:
    """Whether Temporal has forgotten a request without a record: only Core Signature knows the outcome."""
    return state.reason == _LOST.reason


def is_left(state: MemberState | MemberOutcome) -> bool:
    """Whether a request stopped without an end: its document may be open."""
    return is_lost(state) or state.reason == TERMINATED


def is_refused(state: MemberState | MemberOutcome) -> bool:
    """Whether Core Signature refuses to create a request."""
    return state.reason == _REFUSED.reason


@dataclass(frozen=True)
class OpenMembers:
    """Open or broken-off requests of a campaign, by id."""

    status: Mapping[str, str] = field(default_factory=dict)
    """`CsStatus` of open ones."""
    broken: Mapping[str, str] = field(default_factory=dict)
    """How the others were broken off."""
    refused: frozenset[str] = frozenset()
    """Those that Core Signature refuses to create; they retry by themselves."""

    @property
    def states(self) -> dict[str, MemberState]:
        states = {id: _STATES.get(status, GOES_ON) for id, status in self.status.items()}
        refused = dict.fromkeys(self.refused, _REFUSED)
        broken = {
            id: MemberState(MemberStatus.FAILED, _BROKEN_OFF.format(run_status))
            for id, run_status in self.broken.items()
        }
        return {**states, **refused, **broken}


class MemberVisibility(Protocol):
    """Queries of a campaign's requests; may raise `RPCError`."""

    async def open_of(self, campaign: str) -> OpenMembers: ...

    async def unusual_of(self, campaign: str) -> OpenMembers:
        """Those not merely notified and silent, which are most."""
        ...

    async def going_on(self, campaign: str) -> int:
        """How many are open."""
        ...

    async def waiting(self, campaign: str) -> int:
        """How many wait to be created at Core Signature, without a refusal."""
        ...


@dataclass(frozen=True)
class TemporalMemberVisibility:
    """By Temporal's visibility; ten pages for 10,000 open requests."""

    client: Client

    async def open_of(self, campaign: str) -> OpenMembers:
        return await self._query_requests(campaign, executions.OPEN)

    async def unusual_of(self, campaign: str) -> OpenMembers:
        unusual_statuses = ", ".join(f"'{status}'" for status in _STATES)
        unusual = await self._query_requests(
            campaign, f"({executions.OPEN} AND {names.STATUS.name} IN ({unusual_statuses}))"
        )
        # A broken-off run may have a successor, which is among the open ones.
        return await self.open_of(campaign) if unusual.broken else unusual

    async def going_on(self, campaign: str) -> int:
        return (await self.client.count_workflows(f"{_requests_query(campaign)} AND {executions.OPEN}")).count

    async def _query_requests(self, campaign: str, going_on: str) -> OpenMembers:
        query = (
            f"{_requests_query(campaign)} AND ({going_on} OR ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut'))"
        )
        status: dict[str, str] = {}
        broken: dict[str, str] = {}
        refused: set[str] = set()
        async for run in executions.listed(self.client, query):
            id = run.id.partition(":")[2]
            if run.status.broken_off:
                broken[id] = str(run.status)
            else:
                status[id] = run.search_attributes.get(names.STATUS) or ""
                waits, problem = status[id] == Status.CONVERTING, run.search_attributes.get(names.PROBLEM)
                refused |= {id} if waits and problem == Code.REFUSED else set()
        return OpenMembers(
            status, {id: run_status for id, run_status in broken.items() if id not in status}, frozenset(refused)
        )

    async def waiting(self, campaign: str) -> int:
        converting = f"{names.STATUS.name} = '{Status.CONVERTING}' AND {executions.OPEN} AND {_NOT_REFUSED}"
        query = f"{_requests_query(campaign)} AND {converting}"
        return (await self.client.count_workflows(query)).count


@dataclass(frozen=True)
class MemberStatuses:
    """How members stand, by records, visibility, and Temporal for members that both lack."""

    client: Client
    store: Store
    visibility: MemberVisibility

    async def look_up(self, order: CampaignOrder) -> MemberLines:
        """If as many requests are open as should be, visibility lists only the unusual ones."""
        unusual = await self.visibility.unusual_of(order.campaign.id)
        lines = self.store.outcomes.running(order).knowing(unusual.states)
        silent = (await lines.tally()).counts.told - sum(state == GOES_ON for state in unusual.states.values())
        if await self.visibility.going_on(order.campaign.id) == silent + len(unusual.status):
            return lines
        return await self.look_closely(order, await self.visibility.open_of(order.campaign.id))

    async def look_closely(
        self, order: CampaignOrder, open_members: OpenMembers, *, unseen: bool = False
    ) -> MemberLines:
        """By the states of `open_members`, and by Temporal where one should be open and is not. `unseen` includes those
        not yet processed, since a batch may have failed before reporting its position.
        """
        states, lines = open_members.states, self.store.outcomes.running(order)
        looked_up_statuses = UNRECORDED if unseen else (MemberStatus.TOLD,)
        async for batch in lines.batches(only_open=True):
            lost = [line for line in batch if line.status in looked_up_statuses and line.request not in states]
            for begin in range(0, len(lost), _ASKED_AT_ONCE):
                few = lost[begin : begin + _ASKED_AT_ONCE]
                members = await self.store.audiences.of_requests(order.workflow_id, [line.request for line in few])
                fingerprints = [members[line.request].fingerprint(order.fingerprint) for line in few]
                described_states = await asyncio.gather(*map(self._describe_request, few, fingerprints))
                states |= {line.request: state for line, state in zip(few, described_states, strict=True) if state}
        return lines.knowing(states)

    async def _describe_request(self, line: MemberOutcome, fingerprint: str) -> MemberState | None:
        """By the workflow itself, since visibility may lag; None if that is open."""
        run = await executions.find_run(self.client, Kind.REQUEST.workflow_id(line.request))
        if run is None:
            return MemberState(MemberStatus.NOT_STARTED) if line.status == MemberStatus.NOT_TOLD else _LOST
        if await run.memo(names.MEMO_FINGERPRINT) != fingerprint:
            return MemberState(MemberStatus.FAILED, ANOTHERS)
        if run.status.broken_off:
            return MemberState(MemberStatus.FAILED, _BROKEN_OFF.format(run.status))
        return None


def _requests_query(campaign: str) -> str:
    return f"{names.PARENT.name} = '{Kind.CAMPAIGN.workflow_id(campaign)}'"
