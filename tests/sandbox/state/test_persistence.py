"""A second start on the same folder goes on where the first stopped."""

from dataclasses import replace
from pathlib import Path

from deploy.sandbox.server import running
from deploy.sandbox.state.settings import SandboxSettings
from tests.plain_http import plain_client
from tests.sandbox.clocks import HandClock
from tests.sandbox.conftest import Hands
from tests.sandbox.receivers import receiving

ADA = {"email": "ada@x.test", "full_name": "Ada", "order": 1}
BOB = {"email": "bob@x.test", "order": 2}


async def test_documents_requests_tokens_and_ledger_are_kept(tmp_path: Path) -> None:
    settings = SandboxSettings(conversion_delay=0, data=tmp_path / "deep")
    async with running(settings) as sandbox, plain_client(sandbox.url) as http:
        first = Hands(sandbox, http)
        await first.request(ADA, BOB)
        await first.act("ada@x.test", "sign")
        await first.push({"token": "ada~1", "notification": {"title": "Hello"}})
        await http.post("/_sandbox/devices", json={"token": "bob~1", "state": "unregistered"})
        ledger_before, document_before = await first.ledger(), await first.read()
        token = sandbox.core_signature.tokens.issue()
    async with running(settings) as sandbox, plain_client(sandbox.url) as http:
        second = Hands(sandbox, http)
        assert (await second.ledger())[: len(ledger_before)] == ledger_before
        bearer = {"authorization": f"Bearer {token}"}
        assert (await http.get("/api/v1/documents/", headers=bearer)).json()["count"] == 1
        document_after = await second.read()
        assert document_after["uuid"] == document_before["uuid"]
        assert document_after["url"].startswith(sandbox.url)
        assert (await http.get("/_sandbox/phones/ada")).json()["ada~1"][0]["title"] == "Hello"
        assert (await second.push({"token": "bob~1", "data": {"a": "b"}})).status_code == 404
        assert (await second.act("bob@x.test", "sign")).status_code == 200
        assert (await second.read())["status"] == "si"
        numbers = [entry["n"] for entry in await second.ledger()]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_what_was_in_the_middle_goes_on(tmp_path: Path) -> None:
    clock = HandClock()
    settings = SandboxSettings(conversion_delay=10, data=tmp_path, clock=clock)
    async with running(settings) as sandbox, plain_client(sandbox.url) as http:
        hands = Hands(sandbox, http)
        await hands.request(ADA, document=await hands.document(auto_expire_days=1))
    clock.now += 10
    async with running(settings) as sandbox, plain_client(sandbox.url) as http:
        assert (await Hands(sandbox, http).read())["status"] == "se"
        assert len(await Hands(sandbox, http).ledger("mail")) == 1
    clock.now += 86_400
    async with running(settings) as sandbox, plain_client(sandbox.url) as http:
        assert (await Hands(sandbox, http).read())["status"] == "xp"


async def test_open_callbacks_are_delivered_by_the_next_run(tmp_path: Path) -> None:
    clock = HandClock()
    settings = SandboxSettings(conversion_delay=0, data=tmp_path, clock=clock)
    async with receiving(500) as receiver:
        async with running(settings) as sandbox, plain_client(sandbox.url) as http:
            hands = Hands(sandbox, http)
            await hands.document(events_callback_url=receiver.url)
            await hands.until("callback")
        clock.now += settings.retry_unit
        async with running(replace(settings)) as sandbox, plain_client(sandbox.url) as http:
            attempts = await Hands(sandbox, http).until("callback", 2)
    assert [(entry["attempt"], entry["status"]) for entry in attempts] == [(1, 500), (2, 200)]
    assert receiver.bodies[0]["uuid"] == receiver.bodies[1]["uuid"]
