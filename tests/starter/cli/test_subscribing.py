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
from starter.temporal.search_attributes import Made

BASE: Final = "https://sign.example/callbacks/core-signature/"
ADDRESS: Final = f"{BASE}{'s' * 32}"


@asynccontextmanager
async def tenant(folder: Path, **changes: str) -> AsyncIterator[tuple[RunningSandbox, Settings]]:
    async with running(SandboxSettings(conversion_delay=0)) as sandbox:
        known = sandbox.state.settings
        ours = {
            "SIGNATURE_URL": sandbox.url,
            "SIGNATURE_TOKEN_URL": f"{sandbox.url}/tenants/{known.tenant}/oauth2/token",
            "SIGNATURE_CLIENT_ID": known.client_id,
            "SIGNATURE_CLIENT_SECRET": known.client_secret,
            "SIGNATURE_CALLBACK_STYLE": "subscription",
            "WEBHOOK_URL": "https://sign.example",
            "WEBHOOK_SEGMENT": "s" * 32,
            "DATA_DIR": str(folder),
            **changes,
        }
        yield sandbox, load(environment={f"COUNTERSIGN_{name}": text for name, text in ours.items()})


def there(sandbox: RunningSandbox) -> list[tuple[str, str]]:
    """Each type that is subscribed to, and its address."""
    return sorted((one.event_type, one.callback_url) for one in sandbox.state.database.webhooks)


async def made(settings: Settings) -> tuple[Made, str]:
    [result] = await ensure_subscriptions(settings)
    return result.made, result.says


async def examined(settings: Settings) -> SetUpPart:
    async with aclosing(CoreSignatureClient(clients.signature_config(settings))) as client:
        return await vendors.subscriptions(client, settings)


async def test_they_are_made_once_and_repeated_it_changes_nothing(tmp_path: Path) -> None:
    async with tenant(tmp_path) as (sandbox, settings):
        before = await examined(settings)
        assert (before.state, "run `countersign init`" in before.says) == (PartHealth.WARNING, True)
        assert await made(settings) == (Made.CREATED, f"{len(EVENTS)} made, 0 removed")
        assert there(sandbox) == sorted((event_type, ADDRESS) for event_type in EVENTS)
        uuids = [one.uuid for one in sandbox.state.database.webhooks]
        assert await made(settings) == (Made.EXISTS, "")
        assert [one.uuid for one in sandbox.state.database.webhooks] == uuids
        assert (await examined(settings)).state is PartHealth.OK


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
        assert "not needed" not in (await examined(settings)).says
        assert await made(settings) == (Made.MENDED, f"{len(EVENTS) - 1} made, 3 removed")
        assert {address for _, address in there(sandbox)} == {ADDRESS, "https://erp.example/core"}
        assert len(there(sandbox)) == len(EVENTS) + 1


async def test_two_installations_on_one_tenant_leave_each_other_s_alone_and_say_so(tmp_path: Path) -> None:
    """Their stores may have one path, each on its own machine, or one be a copy of the other."""
    async with tenant(tmp_path) as (sandbox, settings):
        other = settings.model_copy(
            update={"webhook": settings.webhook.model_copy(update={"url": "https://staging.example:8443"})}
        )
        assert await made(settings) == (Made.CREATED, f"{len(EVENTS)} made, 0 removed")
        both = there(sandbox)
        seen = f"{len(EVENTS)} of a Countersign at sign.example are left alone: delete them if nobody is called there"
        assert await made(other) == (Made.CREATED, f"{len(EVENTS)} made, 0 removed; {seen}")
        assert set(both) < set(there(sandbox)) and len(there(sandbox)) == 2 * len(EVENTS)
        result, says = await made(settings)
        assert (result, "staging.example:8443" in says, "s" * 32 in says) == (Made.EXISTS, True, False)
        part = await examined(settings)
        assert (part.state, says in part.says) == (PartHealth.OK, True)


async def test_what_broke_off_is_gone_on_with_and_no_failure_tells_the_segment(tmp_path: Path) -> None:
    async with tenant(tmp_path) as (sandbox, settings):
        sandbox.state.faults.arm(ArmedFault(fault=FaultKind.BAD_REQUEST, path="*/webhooks/", method="POST", times=1))
        result, says = await made(settings)
        assert (result, "s" * 32 in says) == (Made.FAILED, False)
        assert (await made(settings))[0].usable
        assert len(there(sandbox)) == len(EVENTS)


async def test_nothing_is_subscribed_to_where_documents_name_their_address_or_settings_lack(tmp_path: Path) -> None:
    async with tenant(tmp_path, SIGNATURE_CALLBACK_STYLE="document") as (sandbox, settings):
        assert (await ensure_subscriptions(settings), there(sandbox)) == ((), [])
    async with tenant(tmp_path, WEBHOOK_URL="") as (sandbox, settings):
        result, says = await made(settings)
        assert (result, there(sandbox)) == (Made.FAILED, [])
        assert says.startswith("COUNTERSIGN_WEBHOOK_URL: is missing")
        assert (await examined(settings)).state is PartHealth.WRONG


async def test_of_many_other_receivers_some_are_named_and_what_is_no_host_is_not_repeated(tmp_path: Path) -> None:
    async with tenant(tmp_path) as (sandbox, settings):
        hosts = ["t1.example", "t2.example", *(f"x{number}.example" for number in range(50)), "me:pass@e.example", "[e"]
        for host in [*hosts, "t1.example", "t2.example"]:
            address = f"https://{host}/callbacks/core-signature/x"
            sandbox.state.database.webhooks.save(
                Webhook(event_type="signed", callback_url=address, name="", created=1.0)
            )
        _, says = await made(settings)
        assert says.startswith(f"{len(EVENTS)} made, 0 removed; 56 of a Countersign at ")
        assert "t1.example" in says and "t2.example" in says and says.count(".example") <= 5
        assert ", others are left alone" in says and "pass" not in says
