"""Which requests go on, and which Temporal knows at all, by their ids."""

from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, Protocol

from temporalio.client import Client

from activities import runs
from workflows import names
from workflows.kinds import Kind

_IDS_AT_MOST: Final = 50
"""Ids of one query."""


class OpenRequests(Protocol):
    """Where it is looked which requests go on; may raise `RPCError`."""

    async def among(self, ids: Sequence[str]) -> Mapping[str, str]:
        """`CsStatus` of those of these that are open."""
        ...

    async def known(self, ids: Sequence[str]) -> AbstractSet[str]:
        """Those of these that Temporal knows, open or closed."""
        ...


@dataclass(frozen=True)
class TemporalOpenRequests:
    """See `OpenRequests`: Temporal's visibility, which lags by a moment."""

    client: Client

    async def among(self, ids: Sequence[str]) -> Mapping[str, str]:
        """See `OpenRequests`."""
        return {id: run.known.get(names.STATUS) or "" async for id, run in self._listed(ids, f" AND {runs.OPEN}")}

    async def known(self, ids: Sequence[str]) -> AbstractSet[str]:
        """See `OpenRequests`."""
        return {id async for id, _ in self._listed(ids)}

    async def _listed(self, ids: Sequence[str], also: str = "") -> AsyncIterator[tuple[str, runs.Run]]:
        for first in range(0, len(ids), _IDS_AT_MOST):
            listed = ", ".join(f"'{Kind.REQUEST.workflow_id(id)}'" for id in ids[first : first + _IDS_AT_MOST])
            query = f"WorkflowType = '{names.SIGNATURE_REQUEST}'{also} AND WorkflowId IN ({listed})"
            async for run in runs.listed(self.client, query):
                yield run.id.partition(":")[2], run
