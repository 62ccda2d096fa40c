"""The way to Temporal: configured like its own command, never insecure by accident, failing in one line."""

import asyncio
import base64
import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
import structlog
from structlog.typing import EventDict
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from starter.config.settings import Settings, load
from starter.temporal.connection import (
    TemporalConfigurationError,
    TemporalUnreachable,
    connect,
    connect_config,
    connect_patiently,
    web_ui,
    web_ui_link,
)
from starter.temporal.search_attributes import SetUpResult, ensure_search_attributes, missing_search_attributes
from tests.servers import DEV_SERVER, STARTS_WITHIN, real_server
from workflows.names import SEARCH_ATTRIBUTES


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens, kept from others while the test runs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def settings_for(address: str, **overrides: str) -> Settings:
    return load(environment={"TEMPORAL_ADDRESS": address, **overrides})


async def test_a_server_that_is_not_there_is_one_line(nobody: str) -> None:
    with pytest.raises(TemporalUnreachable) as refused:
        await connect(settings_for(nobody), identity="test")
    assert str(refused.value) == f"no Temporal server at {nobody}: connection refused"


async def test_the_line_says_what_to_do_when_no_address_was_given(nobody: str, tmp_path: Path) -> None:
    stack = dict.fromkeys(("web_ui", "sandbox", "receiver"), "http://127.0.0.1:1")
    (tmp_path / "dev.json").write_text(json.dumps({"temporal": nobody, "env": {"TEMPORAL_ADDRESS": nobody}, **stack}))
    with pytest.raises(TemporalUnreachable, match=r"address from .*dev\.json; start `countersign dev` again"):
        await connect(load(environment={"COUNTERSIGN_DATA_DIR": str(tmp_path)}), identity="test")


async def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings = settings_for(f"127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(TemporalUnreachable, match="no answer"):
            await connect(settings, identity="test", patience=timedelta(milliseconds=300))


async def test_a_lazy_client_needs_no_server(nobody: str) -> None:
    client = await connect(settings_for(nobody, TEMPORAL_NAMESPACE="ours"), identity="test", lazy=True)
    assert (client.namespace, client.identity) == ("ours", "test")


async def test_waiting_for_a_server_is_said_and_can_be_given_up(nobody: str) -> None:
    events: asyncio.Queue[EventDict] = asyncio.Queue()

    def hear(_: object, __: str, event: EventDict) -> NoReturn:
        events.put_nowait(event)
        raise structlog.DropEvent

    structlog.configure(processors=[hear])
    try:
        waiting = asyncio.create_task(connect_patiently(settings_for(nobody), identity="test"))
        first = await events.get()
        waiting.cancel()
        await asyncio.wait([waiting])
    finally:
        structlog.reset_defaults()
    assert waiting.cancelled()
    assert first["why"] == f"no Temporal server at {nobody}: connection refused"


@pytest.mark.parametrize(
    ("temporal", "message"),
    [
        ({"TEMPORAL_TLS": "false", "TEMPORAL_API_KEY": "canary"}, "would send the key in clear text"),
        ({"TEMPORAL_TLS_DISABLE_HOST_VERIFICATION": "true"}, "not supported, certificates are verified"),
        ({"TEMPORAL_CONFIG_FILE": "/nowhere/temporal.toml"}, "no such file: /nowhere/temporal.toml"),
        ({"TEMPORAL_PROFILE": "nobody"}, "Profile 'nobody' not found"),
        ({"TEMPORAL_TLS_CLIENT_CERT_PATH": "/nowhere/cert.pem"}, "No such file or directory"),
    ],
)
def test_what_would_be_insecure_or_ignored_is_refused(
    temporal: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with pytest.raises(TemporalConfigurationError) as refused:
        connect_config(temporal)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "canary" not in str(refused.value)


def test_a_misspelt_key_of_the_profile_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text('[profile.default]\naddress = "a:1"\nnamespce = "x"\n')
    with pytest.raises(TemporalConfigurationError, match="unknown field `namespce`"):
        connect_config({"TEMPORAL_CONFIG_FILE": str(file)})


def test_an_api_key_alone_turns_tls_on() -> None:
    assert connect_config({"TEMPORAL_API_KEY": "k"})["tls"] is True


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("localhost:7233", "http://localhost:8233"),
        ("[::1]:7233", "http://localhost:8233"),
        ("ours.a1b2c.tmprl.cloud:7233", "https://cloud.temporal.io"),
        ("eu-west-1.aws.api.temporal.io:7233", "https://cloud.temporal.io"),
        ("temporal.internal:7233", None),
    ],
)
def test_the_web_ui_is_found_where_it_can_be_known(address: str, base: str | None) -> None:
    assert web_ui(settings_for(address)) == base
    assert web_ui(settings_for(address, COUNTERSIGN_WEB_UI="https://ui.example/")) == "https://ui.example"


def test_a_link_to_the_web_ui_is_encoded_whole() -> None:
    link = web_ui_link("http://localhost:8233/", "our ns", "signature-request:msa/42?x", "run#1")
    assert (
        link
        == "http://localhost:8233/namespaces/our%20ns/workflows/signature-request%3Amsa%2F42%3Fx/run%231/user-metadata"
    )


# --- search attributes -------------------------------------------------------------------------------------------


@pytest.mark.real_server
async def test_search_attributes_are_made_once_and_missed_while_they_are_not_there() -> None:
    names = tuple(key.name for key in SEARCH_ATTRIBUTES)
    server = WorkflowEnvironment.start_local(
        dev_server_existing_path=str(DEV_SERVER), dev_server_startup_timeout=STARTS_WITHIN
    )
    async with await server as env:
        assert await missing_search_attributes(env.client) == names
        await _add_of_another_type(env.client, names[0])
        first = await ensure_search_attributes(env.client)
        assert [result.name for result in first] == list(names)
        assert [result.made for result in first] == [SetUpResult.OTHER_TYPE] + [SetUpResult.CREATED] * (len(names) - 1)
        second = await ensure_search_attributes(env.client)
        assert [result.made for result in second] == [SetUpResult.OTHER_TYPE] + [SetUpResult.EXISTS] * (len(names) - 1)
        assert await missing_search_attributes(env.client) == names[:1]


async def _add_of_another_type(client: Client, name: str) -> None:
    wrong = {name: IndexedValueType.INDEXED_VALUE_TYPE_BOOL}
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=client.namespace, search_attributes=wrong)
    )


@pytest.mark.long
@pytest.mark.real_server
async def test_the_payloads_of_a_connected_client_are_encrypted() -> None:
    """The whole way: settings, connection, codec; the server keeps nothing readable but ids."""
    async with real_server() as env:
        address = env.client.service_client.config.target_host
        settings = settings_for(address, COUNTERSIGN_PAYLOAD_KEYS=f"k1={base64.b64encode(bytes(32)).decode()}")
        client = await connect(settings, identity="countersign test")
        handle = await client.start_workflow(
            "Nobody", "canary", id="visible", task_queue="none", memo={"m": "canary"}, static_summary="canary"
        )
        description = await handle.describe()
        assert await description.static_summary() == "canary"
        assert await description.memo_value("m") == "canary"
        history = await handle.fetch_history()
        started = history.events[0].workflow_execution_started_event_attributes
        assert started.identity == "countersign test"
        assert b"canary" not in history.events[0].SerializeToString()
        assert b"canary" not in description.raw_description.SerializeToString()
