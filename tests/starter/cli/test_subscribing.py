"""Subscriptions at Core Signature: made once, mended, and those of others left alone."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Final

from activities.core_signature.client import CoreSignatureClient
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.faults import ArmedFault, FaultKind
from deploy.sandbox.state.records import Webhook
from deploy.sandbox.state.settings import SandboxSettings
from starter.boot import clients
from starter.boot.subscriptions import EVENTS, NAME, ensure_subscriptions
from starter.cli.doctor import own as vendors
from starter.cli.doctor.health import PartHealth, SetUpPart
from starter.config.settings import Settings, load
from starter.temporal.search_attributes import SetUpResult

BASE: Final = "https://sign.example/callbacks/core-signature/"
ADDRESS: Final = f"{BASE}{'s' * 32}"


@asynccontextmanager
async def tenant(folder: Path, **changes: str) -> AsyncIterator[tuple[RunningSandbox, Settings]]:
    async with running(SandboxSettings(conversion_delay=0)) as sandbox:
        sandbox_settings = sandbox.state.settings
        variables = {
            "SIGNATURE_URL": sandbox.url,
            "SIGNATURE_TOKEN_URL": f"{sandbox.url}/tenants/{sandbox_settings.tenant}/oauth2/token",
            "SIGNATURE_CLIENT_ID": sandbox_settings.client_id,
            "SIGNATURE_CLIENT_SECRET": sandbox_settings.client_secret,
            "SIGNATURE_CALLBACK_STYLE": "subscription",
            "WEBHOOK_URL": "https://sign.example",
            "WEBHOOK_SEGMENT": "s" * 32,
            "DATA_DIR": str(folder),
            **changes,
        }
        yield sandbox, load(environment={f"COUNTERSIGN_{name}": text for name, text in variables.items()})


def list_subscriptions(sandbox: RunningSandbox) -> list[tuple[str, str]]:
    """Each type that is subscribed to, and its address."""
    return sorted((webhook.event_type, webhook.callback_url) for webhook in sandbox.state.database.webhooks)


async def subscribe(settings: Settings) -> tuple[SetUpResult, str]:
    [result] = await ensure_subscriptions(settings)
    return result.made, result.says


async def examine_subscriptions(settings: Settings) -> SetUpPart:
    async with aclosing(CoreSignatureClient(clients.signature_config(settings))) as client:
        return await vendors.subscriptions(client, settings)


async def test_they_are_made_once_and_repeated_it_changes_nothing(tmp_path: Path) -> None:
    async with tenant(tmp_path) as (sandbox, settings):
        part = await examine_subscriptions(settings)
        assert (part.state, "run `countersign init`" in part.says) == (PartHealth.WARNING, True)
        assert await subscribe(settings) == (SetUpResult.CREATED, f"{len(EVENTS)} made, 0 removed")
        assert list_subscriptions(sandbox) == sorted((event_type, ADDRESS) for event_type in EVENTS)
        uuids = [webhook.uuid for webhook in sandbox.state.database.webhooks]
        assert await subscribe(settings) == (SetUpResult.EXISTS, "")
        assert [webhook.uuid for webhook in sandbox.state.database.webhooks] == uuids
        assert (await examine_subscriptions(settings)).state is PartHealth.OK


async def test_an_old_segment_a_double_and_an_unknown_type_go_and_what_is_missing_comes(tmp_path: Path) -> None:
    async with tenant(tmp_path) as (sandbox, settings):
        hooks = sandbox.state.database.webhooks
        for event_type, address, name in (
            ("signed", ADDRESS, NAME),
            ("signed", ADDRESS, NAME),
            ("declined", f"{BASE}{'o' * 32}", ""),
            ("downloaded", ADDRESS, NAME),
            ("signed", "https://erp.example/core", "erp"),
        ):
            hooks.save(Webhook(event_type=event_type, callback_url=address, name=name, created=1.0))
        assert "not needed" not in (await examine_subscriptions(settings)).says
        assert await subscribe(settings) == (SetUpResult.MENDED, f"{len(EVENTS) - 1} made, 3 removed")
        assert {address for _, address in list_subscriptions(sandbox)} == {ADDRESS, "https://erp.example/core"}
        assert len(list_subscriptions(sandbox)) == len(EVENTS) + 1


async def test_two_installations_on_one_tenant_leave_each_other_s_alone_and_say_so(tmp_path: Path) -> None:
    """Their stores may have one path, each on its own machine, or one be a copy of the other."""
    async with tenant(tmp_path) as (sandbox, settings):
        other_settings = settings.model_copy(
            update={"webhook": settings.webhook.model_copy(update={"url": "https://staging.example:8443"})}
        )
        assert await subscribe(settings) == (SetUpResult.CREATED, f"{len(EVENTS)} made, 0 removed")
        first_subscriptions = list_subscriptions(sandbox)
        remark = f"{len(EVENTS)} of a Countersign at sign.example are left alone: delete them if nobody is called there"
        assert await subscribe(other_settings) == (SetUpResult.CREATED, f"{len(EVENTS)} made, 0 removed; {remark}")
        assert set(first_subscriptions) < set(list_subscriptions(sandbox)) and len(
            list_subscriptions(sandbox)
        ) == 2 * len(EVENTS)
        result, detail = await subscribe(settings)
        assert (result, "staging.example:8443" in detail, "s" * 32 in detail) == (SetUpResult.EXISTS, True, False)
        part = await examine_subscriptions(settings)
        assert (part.state, detail in part.says) == (PartHealth.OK, True)


async def test_what_broke_off_is_gone_on_with_and_no_failure_tells_the_segment(tmp_path: Path) -> None:
    async with tenant(tmp_path) as (sandbox, settings):
        sandbox.state.faults.arm(ArmedFault(fault=FaultKind.BAD_REQUEST, path="*/webhooks/", method="POST", times=1))
        result, detail = await subscribe(settings)
        assert (result, "s" * 32 in detail) == (SetUpResult.FAILED, False)
        assert (await subscribe(settings))[0].usable
        assert len(list_subscriptions(sandbox)) == len(EVENTS)


async def test_nothing_is_subscribed_to_where_documents_name_their_address_or_settings_lack(tmp_path: Path) -> None:
    async with tenant(tmp_path, SIGNATURE_CALLBACK_STYLE="document") as (sandbox, settings):
        assert (await ensure_subscriptions(settings), list_subscriptions(sandbox)) == ((), [])
    async with tenant(tmp_path, WEBHOOK_URL="") as (sandbox, settings):
        result, detail = await subscribe(settings)
        assert (result, list_subscriptions(sandbox)) == (SetUpResult.FAILED, [])
        assert detail.startswith("COUNTERSIGN_WEBHOOK_URL: is missing")
        assert (await examine_subscriptions(settings)).state is PartHealth.WRONG


async def test_of_many_other_receivers_some_are_named_and_what_is_no_host_is_not_repeated(tmp_path: Path) -> None:
    async with tenant(tmp_path) as (sandbox, settings):
        hosts = ["t1.example", "t2.example", *(f"x{number}.example" for number in range(50)), "me:pass@e.example", "[e"]
        for host in [*hosts, "t1.example", "t2.example"]:
            address = f"https://{host}/callbacks/core-signature/x"
            sandbox.state.database.webhooks.save(
                Webhook(event_type="signed", callback_url=address, name="", created=1.0)
            )
        _, detail = await subscribe(settings)
        assert detail.startswith(f"{len(EVENTS)} made, 0 removed; 56 of a Countersign at ")
        assert "t1.example" in detail and "t2.example" in detail and detail.count(".example") <= 5
        assert ", others are left alone" in detail and "pass" not in detail
