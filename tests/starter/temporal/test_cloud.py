"""A namespace of which somebody else is the administrator, as in Temporal Cloud: a real server that refuses the calls
that are refused there.
"""

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from starter.temporal.connection import connect_config
from starter.temporal.reconciliation import EVERY, ensure_schedule
from starter.temporal.search_attributes import (
    NOT_OURS_TO_MAKE,
    SetUpResult,
    ensure_search_attributes,
    missing_search_attributes,
)
from tests.servers import RETENTION, own_namespace
from workflows.names import SEARCH_ATTRIBUTES

NAMES: Final = tuple(key.name for key in SEARCH_ATTRIBUTES)
real = pytest.mark.real_server


def refuse(patch: pytest.MonkeyPatch, service: object, *calls: str, status: RPCStatusCode) -> None:
    async def refused(*arguments: Any, **options: Any) -> NoReturn:
        raise RPCError("Request unauthorized.", status, b"")

    for call in calls:
        patch.setattr(service, call, refused)


async def bare_namespace(address: str) -> Client:
    """One without our search attributes."""
    client = await Client.connect(address, namespace=f"bare-{uuid.uuid4().hex}")
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=client.namespace, workflow_execution_retention_period=RETENTION)
    )
    return client


@real
@pytest.mark.parametrize("status", NOT_OURS_TO_MAKE)
async def test_what_an_administrator_has_made_is_found_without_the_right_to_list_it(
    status: RPCStatusCode, dev_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await own_namespace(dev_server)
    refuse(monkeypatch, client.operator_service, "list_search_attributes", "add_search_attributes", status=status)
    assert await ensure_attributes(client) == [SetUpResult.EXISTS] * len(NAMES)
    assert await missing_search_attributes(client) == ()


@real
async def test_what_nobody_has_made_is_named_with_the_page_that_says_how(
    dev_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await bare_namespace(dev_server)
    refuse(
        monkeypatch,
        client.operator_service,
        "list_search_attributes",
        "add_search_attributes",
        status=RPCStatusCode.PERMISSION_DENIED,
    )
    results = await ensure_search_attributes(client)
    assert [result.made for result in results] == [SetUpResult.NOT_PERMITTED] * len(NAMES)
    assert results[0].says.endswith("in Temporal Cloud: docs/cluster.md#cloud")
    assert await missing_search_attributes(client) == NAMES


@real
async def test_two_who_set_up_at_once_both_succeed(dev_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await bare_namespace(dev_server)
    refuse(monkeypatch, client.operator_service, "add_search_attributes", status=RPCStatusCode.ALREADY_EXISTS)
    assert await ensure_attributes(client) == [SetUpResult.EXISTS] * len(NAMES)


@real
@pytest.mark.parametrize(("exists", "call"), [(False, "create_schedule"), (True, "update_schedule")])
async def test_a_schedule_that_may_not_be_made_or_mended_is_said(
    exists: bool, call: str, dev_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await own_namespace(dev_server)
    if exists:
        await ensure_schedule(client)
        monkeypatch.setattr("starter.temporal.reconciliation.EVERY", 2 * EVERY)
    refuse(monkeypatch, client.workflow_service, call, status=RPCStatusCode.PERMISSION_DENIED)
    assert (await ensure_schedule(client)).made is SetUpResult.NOT_PERMITTED


async def ensure_attributes(client: Client) -> Sequence[SetUpResult]:
    return [result.made for result in await ensure_search_attributes(client)]


def test_cloud_is_reached_by_certificate_or_by_a_key_in_a_file(tmp_path: Path) -> None:
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_text("PEM")
    by_certificate = connect_config(
        {
            "TEMPORAL_ADDRESS": "countersign.a1b2c.tmprl.cloud:7233",
            "TEMPORAL_NAMESPACE": "countersign.a1b2c",
            "TEMPORAL_TLS": "true",
            "TEMPORAL_TLS_CLIENT_CERT_PATH": str(tmp_path / "tls.crt"),
            "TEMPORAL_TLS_CLIENT_KEY_PATH": str(tmp_path / "tls.key"),
        }
    )
    tls = by_certificate["tls"]
    assert isinstance(tls, TLSConfig)
    assert (tls.client_cert, tls.client_private_key) == (b"PEM", b"PEM")
    profile = tmp_path / "temporal.toml"
    profile.write_text('[profile.default]\napi_key = "key"\n')
    by_key = connect_config(
        {
            "TEMPORAL_ADDRESS": "eu-central-1.aws.api.temporal.io:7233",
            "TEMPORAL_NAMESPACE": "countersign.a1b2c",
            "TEMPORAL_CONFIG_FILE": str(profile),
        }
    )
    assert by_key["api_key"] == "key"
    assert by_key["target_host"] == "eu-central-1.aws.api.temporal.io:7233"
    assert by_key.get("tls") is not False
