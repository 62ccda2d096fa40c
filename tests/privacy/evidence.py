"""Everything that was written down about a household's requests, raw, by the place where it stands."""

from dataclasses import dataclass

from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.client import Client

from tests.privacy.household import Household
from workflows.kinds import Kind

OURS = ("worker", "receiver", "temporal")
"""Whose logs are read; the sandbox stands for vendors, who know everything."""


@dataclass(frozen=True)
class Evidence:
    """Bytes as they are stored or printed; nothing is decoded."""

    outputs: dict[str, bytes]
    """Logs with traces, the commands' stderr, metrics."""
    rows: bytes
    """Ids and search attributes of the visibility store, without the payloads of memo and summary."""
    histories: dict[str, bytes]
    """By request, or whole id: history, description and memo, as the server hands them out."""
    database: bytes
    """The server's database file with its write-ahead log."""

    def find_canaries(self, canaries: dict[str, str], *places: str) -> list[str]:
        """Which canary stands in which place."""
        texts = {**self.outputs, "rows": self.rows, "database": self.database, **self.histories}
        return [
            f"{name} in {source}"
            for source, text in texts.items()
            for name, canary in canaries.items()
            if (not places or source in places) and canary.encode() in text
        ]


async def gather_evidence(home: Household, requests: tuple[str, ...], other_workflow_ids: tuple[str, ...]) -> Evidence:
    """Look everywhere once; while the server still runs. `other_workflow_ids` are called by their whole ids."""
    client = await Client.connect(home.temporal)
    ids = {request: Kind.REQUEST.workflow_id(request) for request in requests} | {id: id for id in other_workflow_ids}
    return Evidence(
        outputs={name: (home.folder.logs / f"{name}.log").read_bytes() for name in OURS}
        | {"heard": b"\n".join(home.heard)},
        rows=await _rows(client),
        histories={name: await stored(client, id) for name, id in ids.items()},
        database=b"".join(path.read_bytes() for path in sorted(home.folder.path.glob("temporal.db*"))),
    )


async def _rows(client: Client) -> bytes:
    answer = await client.workflow_service.list_workflow_executions(
        ListWorkflowExecutionsRequest(namespace=client.namespace)
    )
    for row in answer.executions:
        row.ClearField("memo")
    return answer.SerializeToString()


async def stored(client: Client, id: str) -> bytes:
    """History, description and memo of a workflow."""
    handle = client.get_workflow_handle(id)
    history = await handle.fetch_history()
    described = (await handle.describe()).raw_description
    return b"".join([*(event.SerializeToString() for event in history.events), described.SerializeToString()])
