"""What the settings make of the activities of a worker, seen in what these then do; nothing of it runs by Temporal."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.testing import ActivityEnvironment

import worker
from activities.core_signature.client import CoreSignatureClient
from activities.notifications.sign_in import ask_of
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.records import CoreEvent
from deploy.sandbox.state.settings import SandboxSettings
from starter.boot import clients
from starter.config.settings import load
from tests.activities.core_signature.requests import PDF
from tests.activities.notifications.stage import delivery, entries, notice
from tests.servers import own_namespace
from tests.starter.terminal import make_complete_environment
from workflows.kinds import Kind
from workflows.model.notifications import SignInOrder
from workflows.model.reconciliation import ReconciliationOrder, ReconciliationResult
from workflows.names import (
    KIND,
    REQUESTER,
    SIGNATURE_QUEUE,
    SIGNATURE_REQUEST,
    STATUS,
    SWEEP_QUEUE,
    WORKFLOW_QUEUE,
    adopted_id,
)

pytestmark = pytest.mark.real_server
PEOPLE = """
people:
  - id: on-call
    name: On Call
    email: on-call@example.com
    zone: Europe/Amsterdam
    devices: [{token: on-call~1, platform: web}]
  - {id: customer, name: Customer, email: customer@example.com, zone: Europe/Amsterdam}
"""
NOW = datetime.now(UTC)
AT_CORE_SIGNATURE = "d" * 32


@dataclass
class Composed:
    """The activities of one worker over the sandbox."""

    sandbox: RunningSandbox
    client: Client
    signature: CoreSignatureClient
    activities: dict[str, list[Any]]

    async def sweeps(self) -> ReconciliationResult:
        """One sweep, by the activity that the worker has for it."""
        [sweep] = self.activities[SWEEP_QUEUE]
        env = ActivityEnvironment()
        env.info = replace(env.info, started_time=NOW)
        answer: ReconciliationResult = await env.run(sweep, ReconciliationOrder(now=NOW))
        return answer

    def activity(self, name: str, queue: str = WORKFLOW_QUEUE) -> Callable[..., Any]:
        """The one of this name that the worker has for a queue."""
        activity_found: Callable[..., Any]
        [activity_found] = [candidate for candidate in self.activities[queue] if candidate.__name__ == name]
        return activity_found

    def happens(self, ago: timedelta, external_id: str | None = "msa", **fields: Any) -> None:
        """Something happened at Core Signature of which nobody was called."""
        defaults = {"document": AT_CORE_SIGNATURE, "external_id": external_id, "event_type": "signer_viewed"}
        self.sandbox.state.database.events.save(
            CoreEvent(**{"timestamp": (NOW - ago).timestamp(), **defaults, **fields})
        )

    def list_stages(self) -> list[str]:
        """The headings of what whoever is on call got."""
        return [push["stage"] for push in map(_data, entries(self.sandbox, "push"))]


def _data(push: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = push["data"]
    return data


@asynccontextmanager
async def composed(folder: Path, server: str, **settings: str | None) -> AsyncIterator[Composed]:
    """A worker of these settings; None leaves one out."""
    client = await own_namespace(server)
    async with running(SandboxSettings(conversion_delay=0)) as sandbox:
        environment = {
            **make_complete_environment(folder),
            **_of_sandbox(sandbox),
            "TEMPORAL_ADDRESS": server,
            "TEMPORAL_NAMESPACE": client.namespace,
            "COUNTERSIGN_ONCALL": "on-call",
        }
        (folder / "people.yaml").write_text(PEOPLE)
        settings_chosen = load(
            environment={name: text for name, text in (environment | settings).items() if text is not None}
        )
        async with clients.opened(settings_chosen) as open_clients:
            yield Composed(
                sandbox,
                client,
                open_clients.signature,
                worker.compose_activities(settings_chosen, open_clients, client),
            )


def _of_sandbox(sandbox: RunningSandbox) -> dict[str, str]:
    sandbox_settings = sandbox.state.settings
    return {
        "COUNTERSIGN_SIGNATURE_URL": sandbox.url,
        "COUNTERSIGN_SIGNATURE_TOKEN_URL": f"{sandbox.url}/otdstenant/{sandbox_settings.tenant}/oauth2/token",
        "COUNTERSIGN_SIGNATURE_CLIENT_ID": sandbox_settings.client_id,
        "COUNTERSIGN_SIGNATURE_CLIENT_SECRET": sandbox_settings.client_secret,
        "COUNTERSIGN_SIGNATURE_FROM_EMAIL": sandbox_settings.sender_email,
        "COUNTERSIGN_PUSH_DIALECT": "fcm_v1",
        "COUNTERSIGN_PUSH_URL": sandbox.url,
        "COUNTERSIGN_PUSH_PROJECT": sandbox_settings.push_project,
        "COUNTERSIGN_PUSH_TOKEN_URL": f"{sandbox.url}/push/oauth2/token",
        "COUNTERSIGN_PUSH_CLIENT_ID": sandbox_settings.push_client_id,
        "COUNTERSIGN_PUSH_CLIENT_SECRET": sandbox_settings.push_client_secret,
        "COUNTERSIGN_MRA_URL": sandbox.url,
        "COUNTERSIGN_MRA_USER": sandbox_settings.mra_user,
        "COUNTERSIGN_MRA_PASSWORD": sandbox_settings.mra_password,
    }


async def a_request(client: Client) -> None:
    """One that goes on, as Temporal's lists show it."""
    await client.start_workflow(
        SIGNATURE_REQUEST,
        id=Kind.REQUEST.workflow_id("msa"),
        task_queue="nobody",
        search_attributes=TypedSearchAttributes([SearchAttributePair(STATUS, "sent")]),
    )


@pytest.mark.parametrize(
    ("settings", "alarmed"),
    [
        ({}, True),
        ({"COUNTERSIGN_WEBHOOK_URL": None}, False),
        ({"COUNTERSIGN_ONCALL": None}, False),
        ({"COUNTERSIGN_WEBHOOK_SILENT_AFTER": "off"}, False),
        ({"COUNTERSIGN_WEBHOOK_SILENT_AFTER": "3h"}, False),
    ],
)
async def test_that_callbacks_stay_away_is_told_where_some_are_to_come_and_somebody_is_on_call(
    tmp_path: Path, dev_server: str, settings: dict[str, str | None], alarmed: bool
) -> None:
    """Without a receiver none ever come: whoever is on call would hear of it for ever."""
    async with composed(tmp_path, dev_server, **settings) as composition:
        await a_request(composition.client)
        composition.happens(timedelta(hours=3))
        await composition.sweeps()
        composition.happens(timedelta(minutes=30))
        await composition.sweeps()
        assert composition.list_stages() == (["uncalled"] if alarmed else [])


@pytest.mark.parametrize("adopt", ["on", "off"])
async def test_documents_that_were_sent_by_hand_are_adopted_where_a_setting_says_so(
    tmp_path: Path, dev_server: str, adopt: str
) -> None:
    settings = {"ADOPT": adopt, "ADOPT_KIND": "customer-contract", "ADOPT_REQUESTER": "on-call"}
    named: dict[str, str | None] = {f"COUNTERSIGN_{name}": text for name, text in settings.items()}
    async with composed(tmp_path, dev_server, **named) as composition:
        content = base64.b64encode(PDF).decode()
        body = {"name": "Lease", "file_from_content_name": "lease.pdf", "file_from_content": content}
        document = await composition.signature.create_document(body)
        signers = [{"email": "customer@example.com", "order": 1}]
        request_fields = {"document": composition.signature.document_url(document.uuid), "signers": signers}
        await composition.signature.create_request(
            {**request_fields, "from_email": composition.sandbox.state.settings.sender_email}
        )
        composition.happens(timedelta(minutes=30), external_id=None, document=document.uuid)
        swept = await composition.sweeps()
        adopted = adopted_id(document.uuid) or ""
        assert swept.adopted == ((adopted,) if adopt == "on" else ())
        if adopt == "on":
            run = await composition.client.get_workflow_handle(Kind.REQUEST.workflow_id(adopted)).describe()
            attributes = run.typed_search_attributes
            assert (attributes.get(KIND), attributes.get(REQUESTER)) == ("customer-contract", "on-call")


@pytest.mark.parametrize("queue", [WORKFLOW_QUEUE, SIGNATURE_QUEUE])
async def test_a_notice_says_for_which_company_it_comes_as_a_setting_has_it(
    tmp_path: Path, dev_server: str, queue: str
) -> None:
    async with composed(tmp_path, dev_server, COUNTERSIGN_COMPANY="Northwind") as composition:
        await ActivityEnvironment().run(composition.activity("deliver", queue), delivery(notice("on-call")))
        [push] = entries(composition.sandbox, "push")
        assert "Northwind" in push["text"]


async def test_whom_no_device_reaches_gets_the_way_in_by_mail(tmp_path: Path, dev_server: str) -> None:
    async with composed(tmp_path, dev_server) as composition:
        order = SignInOrder(person="customer", ask=ask_of("a browser"), at=NOW)
        assert (await ActivityEnvironment().run(composition.activity("send"), order)).told == 1
        [mail] = entries(composition.sandbox, "message")
        assert mail["to"] == "customer@example.com"
