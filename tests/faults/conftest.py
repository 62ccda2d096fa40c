"""One town for all faults that leave it as they found it."""

import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.population import REQUESTER
from tests.faults.town import Conditions, Town, start_town

LIST_LAG = 1
"""Seconds a new document is missing from the sandbox's lists; a second more is reckoned with."""
ADOPTS = {
    "COUNTERSIGN_ADOPT": "on",
    "COUNTERSIGN_ADOPT_KIND": "customer-contract",
    "COUNTERSIGN_ADOPT_REQUESTER": REQUESTER,
}
FIRST_FAILURE_TELLS = ("--dynamic-config-value", "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=1")


@pytest.fixture(scope="session")
def metrics_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(tmp_path_factory: pytest.TempPathFactory, metrics_port: int) -> AsyncIterator[Town]:
    conditions = Conditions(
        temporal=FIRST_FAILURE_TELLS,
        sandbox={"SANDBOX_LIST_LAG": str(LIST_LAG), "SANDBOX_RETRY_UNIT": "1"},
        own_programs={"COUNTERSIGN_SIGNATURE_LIST_LAG": f"{LIST_LAG + 1}s", **ADOPTS},
        worker={"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": str(metrics_port)},
    )
    async with start_town(tmp_path_factory.mktemp("shared") / "data", conditions) as town:
        yield town
