"""Payload keys come and turn while a request is open: old keys decode what they encoded, removed ones erase it."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretBytes
from temporalio.client import Client, WorkflowHistory

from deploy.rollout import replays
from starter.config.values import PayloadKey
from starter.temporal.codec import CodecError, data_converter
from tests.servers import own_namespace
from tests.versions.stage import Living, Surroundings, deploy_workers, eventually, start_request
from workflows.model.hand_off import SettledRequest
from workflows.model.subject import Status

pytestmark = pytest.mark.real_server

FIRST, SECOND = (PayloadKey(id, SecretBytes(bytes([number] * 32))) for number, id in enumerate(("2026-a", "2026-b")))


@pytest.mark.long
async def test_keys_come_and_turn_in_mid_life_and_nothing_is_lost_before_a_key_is_removed(dev_server: str) -> None:
    surroundings = Surroundings()
    client = await own_namespace(dev_server)
    async with deploy_workers(client, surroundings):
        request = await start_request(client, surroundings)
        await wait_until_notified(surroundings, "customer-signer")
    async with deploy_workers(with_keys(client, FIRST), surroundings):
        surroundings.signatures.sign("customer-signer")
        await request.callback()
        await wait_until_notified(surroundings, "chief-executive")
    later = with_keys(client, SECOND, FIRST)
    async with deploy_workers(later, surroundings):
        handle = later.get_workflow_handle(request.handle.id, result_type=SettledRequest)
        assert (await Living(handle, surroundings).signed_by_all()).outcome is Status.SIGNED
    history = await handle.fetch_history()

    assert [b"2026-a" in raw(history), b"2026-b" in raw(history)] == [True, True]
    assert await read_with(history, SECOND, FIRST) is None
    assert isinstance(await read_with(history, SECOND), Exception)


async def test_what_was_written_under_a_removed_key_is_gone() -> None:
    (payload,) = await data_converter((FIRST,)).encode(["nobody reads this again"])
    with pytest.raises(CodecError, match=FIRST.id):
        await data_converter((SECOND,)).decode([payload])


def with_keys(client: Client, *keys: PayloadKey) -> Client:
    """The same server for processes that have these keys."""
    config = client.config()
    config["data_converter"] = data_converter(keys)
    return Client(**config)


async def wait_until_notified(surroundings: Surroundings, person: str) -> None:
    async def is_notified() -> bool:
        return surroundings.count_notices("ready", person) == 1

    await eventually(is_notified)


def raw(history: WorkflowHistory) -> bytes:
    return b"".join(event.SerializeToString() for event in history.events)


async def read_with(history: WorkflowHistory, *keys: PayloadKey) -> Exception | None:
    """What stands against going on with this history and these keys."""

    async def only() -> AsyncIterator[WorkflowHistory]:
        yield history

    [(_, failure)] = [result async for result in replays(only(), data_converter(keys))]
    return failure
