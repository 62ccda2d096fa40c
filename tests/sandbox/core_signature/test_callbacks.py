"""Callbacks: the published hash, the snapshot of delivery, retries, subscriptions, and each callback fault."""

import asyncio
from typing import Any

import pytest

from deploy.sandbox.core_signature.views import event_hash
from tests.sandbox.conftest import Hands, Json
from tests.sandbox.receivers import Receiver, receiving

ADA = {"email": "ada@x.test", "full_name": "Ada"}


async def send(hands: Hands, receiver: Receiver, **document: Any) -> Json:
    """A request whose document calls the receiver."""
    document_with_callback = await hands.document(events_callback_url=receiver.url, **document)
    return await hands.request(ADA, document=document_with_callback)


async def wait_for_attempts(hands: Hands, kind: str, count: int = 1) -> list[Json]:
    """The ledger's attempts for events of that type, once there are so many."""
    return await hands.until("callback", count, event_type=kind)


def test_the_published_vector_passes() -> None:
    expected = "675ceef2ce146de8ba8d24ac878cdd1a0f5868b37dfe9e30699387eb18e17977"
    assert event_hash("YOUR_TOKEN_HERE", "1537889008", "converted") == expected


async def test_a_callback_is_signed_and_complete(hands: Hands) -> None:
    async with receiving() as receiver:
        await send(hands, receiver)
        await wait_for_attempts(hands, "sent")
    body = next(body for body in receiver.bodies if body["event_type"] == "sent")
    assert body["event_hash"] == event_hash("YOUR_TOKEN_HERE", body["event_time"], "sent")
    assert body["event_time"].isdecimal()
    assert (body["document"]["external_id"], body["document"]["status"]) == ("case-1", "se")
    assert {"uuid", "status", "timestamp", "team", "signer", "token_name"} <= set(body)


async def test_events_say_whether_they_were_told(hands: Hands) -> None:
    async with receiving(404) as receiver:
        await send(hands, receiver)
        await wait_for_attempts(hands, "converted")
        await wait_for_attempts(hands, "sent")
    events = (await hands.api("GET", "/events/?document__external_id=case-1")).json()["results"]
    assert [(e["event_type"], e["delivered"], e["callback_status_code"]) for e in events] == [
        ("sent", True, 200),
        ("converted", False, 404),
    ]
    missed = (await hands.api("GET", "/events/?delivered=false")).json()["results"]
    assert [event["event_type"] for event in missed] == ["converted"]
    assert (await hands.api("GET", f"/events/{missed[0]['uuid']}/")).json()["uuid"] == missed[0]["uuid"]


async def test_a_500_is_called_again_with_the_same_time_and_a_fresh_snapshot(hands: Hands) -> None:
    async with receiving(500, 500, 500) as receiver:
        await hands.document(events_callback_url=receiver.url)
        attempts = await wait_for_attempts(hands, "converted", 4)
    assert [(entry["attempt"], entry["status"]) for entry in attempts] == [(1, 500), (2, 500), (3, 500), (4, 200)]
    assert len({(body["event_time"], body["uuid"]) for body in receiver.bodies}) == 1


async def test_the_snapshot_is_of_the_time_of_delivery(hands: Hands) -> None:
    async with receiving(500) as receiver:
        receiver.gate = asyncio.Event()
        await send(hands, receiver)
        await hands.act("ada@x.test", "sign")
        receiver.gate.set()
        await wait_for_attempts(hands, "converted", 2)
    first, second = [body["document"]["status"] for body in receiver.bodies if body["event_type"] == "converted"]
    assert (first == "si", second) == (False, "si")


async def test_after_ten_attempts_it_gives_up(hands: Hands) -> None:
    async with receiving(*[500] * 20) as receiver:
        await hands.document(events_callback_url=receiver.url)
        attempts = await wait_for_attempts(hands, "converted", 10)
    assert attempts[-1]["attempt"] == 10
    [event] = hands.sandbox.state.database.events
    assert [delivery.due for delivery in event.deliveries] == [None]


@pytest.mark.parametrize("status", [401, 404, 429, 503])
async def test_other_answers_are_final(hands: Hands, status: int) -> None:
    async with receiving(status) as receiver:
        await hands.document(events_callback_url=receiver.url)
        await wait_for_attempts(hands, "converted")
    [event] = hands.sandbox.state.database.events
    assert (event.delivered, event.callback_status_code, event.deliveries[0].due) == (False, status, None)


async def test_a_lost_connection_is_called_again(hands: Hands) -> None:
    await hands.arm(path="/_sandbox/targets/cb", fault="refuse")
    await hands.document(events_callback_url=f"{hands.sandbox.url}/_sandbox/targets/cb")
    attempts = await wait_for_attempts(hands, "converted", 2)
    assert [entry["status"] for entry in attempts] == [None, 200]


async def test_a_subscription_hears_its_type_only(hands: Hands) -> None:
    async with receiving() as receiver:
        hook = {"event_type": "sent", "callback_url": receiver.url, "name": "app"}
        webhook = (await hands.api("POST", "/webhooks/", json=hook)).json()
        await hands.request(ADA)
        await wait_for_attempts(hands, "sent")
        assert receiver.kinds() == ["sent"]
        path = f"/webhooks/{webhook['uuid']}/"
        changed = await hands.api("PATCH", path, json={"event_type": "signed"})
        assert (changed.json()["event_type"], changed.json()["name"]) == ("signed", "app")
        await hands.act("ada@x.test", "sign")
        await wait_for_attempts(hands, "signed")
    assert receiver.kinds() == ["sent", "signed"]
    assert (await hands.api("GET", "/webhooks/")).json()["count"] == 1
    assert (await hands.api("DELETE", path)).status_code == 204
    assert (await hands.api("GET", path)).status_code == 404
    assert (await hands.api("POST", "/webhooks/", json={"event_type": "x"})).status_code == 400


async def test_a_dropped_callback_never_comes(hands: Hands) -> None:
    await hands.arm(method="CALLBACK", path="converted", fault="drop")
    async with receiving() as receiver:
        await send(hands, receiver)
        await wait_for_attempts(hands, "sent")
    assert receiver.kinds() == ["sent"]
    entry = (await hands.ledger("callback"))[0]
    assert (entry["status"], entry["fault"]) == (None, "drop")


@pytest.mark.parametrize(
    "named",
    [{"method": "POST", "path": "/c*"}, {"method": "callback", "path": "/cb"}, {"path": "/cb"}, {"path": "sen*"}],
)
async def test_callbacks_go_by_their_address_as_well_and_by_how_they_are_sent(
    hands: Hands, named: dict[str, str]
) -> None:
    await hands.arm(**named, fault="drop", times=None)
    async with receiving() as receiver:
        await send(hands, receiver)
        [entry] = await wait_for_attempts(hands, "sent")
    assert (entry["fault"], entry["status"]) == ("drop", None)
    assert "sent" not in receiver.kinds()


async def test_a_fault_of_callbacks_to_another_address_hits_none(hands: Hands) -> None:
    await hands.arm(method="POST", path="/callbacks/*", fault="drop", times=None)
    async with receiving() as receiver:
        await send(hands, receiver)
        await wait_for_attempts(hands, "sent")
    assert receiver.kinds() == ["converted", "sent"]


async def test_a_duplicated_callback_comes_twice(hands: Hands) -> None:
    await hands.arm(method="CALLBACK", path="sent", fault="duplicate")
    async with receiving() as receiver:
        await send(hands, receiver)
        await wait_for_attempts(hands, "sent", 2)
    first, second = (body for body in receiver.bodies if body["event_type"] == "sent")
    assert first["uuid"] == second["uuid"]


async def test_a_reordered_callback_comes_after_the_next_one(hands: Hands) -> None:
    await hands.arm(method="CALLBACK", path="converted", fault="reorder")
    async with receiving() as receiver:
        await send(hands, receiver)
        await wait_for_attempts(hands, "converted")
    assert receiver.kinds() == ["sent", "converted"]


async def test_a_forged_callback_has_a_wrong_hash(hands: Hands) -> None:
    await hands.arm(method="CALLBACK", path="sent", fault="forge")
    async with receiving() as receiver:
        await send(hands, receiver)
        await wait_for_attempts(hands, "sent")
    body = next(body for body in receiver.bodies if body["event_type"] == "sent")
    assert body["event_hash"] != event_hash("YOUR_TOKEN_HERE", body["event_time"], "sent")


async def test_a_swapped_callback_lies_about_the_document_under_a_genuine_hash(hands: Hands) -> None:
    other_document = await hands.document(external_id="case-2")
    await hands.arm(method="CALLBACK", path="sent", fault="swap", document=other_document["uuid"])
    await hands.arm(method="CALLBACK", path="converted", fault="swap", contains="case-1", status="de")
    async with receiving() as receiver:
        await send(hands, receiver)
        await wait_for_attempts(hands, "sent")
        await wait_for_attempts(hands, "converted")
    bodies = {body["event_type"]: body for body in receiver.bodies}
    assert (bodies["sent"]["document"]["external_id"], bodies["sent"]["document"]["status"]) == ("case-2", "si")
    assert bodies["converted"]["document"]["status"] == "de"
    assert bodies["sent"]["event_hash"] == event_hash("YOUR_TOKEN_HERE", bodies["sent"]["event_time"], "sent")
    assert (await hands.read())["status"] == "se"
