"""The payload codec: what Temporal stores cannot be read or changed without our keys, and keys can be changed."""

import json
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError

from activities.launch.launch import start
from starter.config.values import PayloadKey
from starter.temporal.codec import AesGcmCodec, CodecError, data_converter
from tests.activities.launch.papers import Desk
from tests.servers import own_namespace
from workflows.model.signature import Document
from workflows.names import MEMO_DOCUMENT

OLD = PayloadKey("2026-a", SecretBytes(bytes(range(32))))
NEW = PayloadKey("2026-b", SecretBytes(bytes(range(32, 64))))
CANARY = "canary"
DOCUMENT = Document(file_name=CANARY, sha256="a" * 64, size=7)


async def test_without_keys_payloads_stay_plain() -> None:
    (plain,) = await data_converter(()).encode([DOCUMENT])
    assert plain.metadata == {"encoding": b"json/plain"}
    assert json.loads(plain.data) == {"sha256": "a" * 64, "size": 7, "file_name": CANARY}
    assert await data_converter(()).decode([plain], [Document]) == [DOCUMENT]


async def test_without_keys_what_is_encrypted_names_the_setting_that_is_missing() -> None:
    payloads = await data_converter((OLD,)).encode([DOCUMENT])
    with pytest.raises(CodecError, match="key '2026-a': set COUNTERSIGN_PAYLOAD_KEYS"):
        await data_converter(()).decode(payloads, [Document])


async def test_values_come_back_and_cannot_be_read_on_the_way() -> None:
    converter = data_converter((OLD,))
    (payload,) = await converter.encode([DOCUMENT])
    assert CANARY.encode() not in payload.SerializeToString()
    assert b"json" not in payload.SerializeToString()
    assert await converter.decode([payload], [Document]) == [DOCUMENT]


@given(data=st.binary(max_size=4096), encoding=st.binary(max_size=32))
async def test_any_payload_survives_the_way_there_and_back(data: bytes, encoding: bytes) -> None:
    codec = AesGcmCodec((OLD,))
    payload = Payload(metadata={"encoding": encoding}, data=data)
    assert await codec.decode(await codec.encode([payload])) == [payload]


async def test_each_payload_has_a_nonce_of_its_own() -> None:
    encoded = await AesGcmCodec((OLD,)).encode([Payload(data=b"same")] * 500)
    assert len({payload.data[:12] for payload in encoded}) == 500
    assert len({payload.data[12:] for payload in encoded}) == 500


async def test_the_first_key_encrypts_and_all_decrypt() -> None:
    (old_payload,) = await data_converter((OLD,)).encode([DOCUMENT])
    rotated = data_converter((NEW, OLD))
    (new_payload,) = await rotated.encode([DOCUMENT])
    assert (old_payload.metadata["encryption-key-id"], new_payload.metadata["encryption-key-id"]) == (
        b"2026-a",
        b"2026-b",
    )
    assert await rotated.decode([old_payload, new_payload], [Document, Document]) == [DOCUMENT, DOCUMENT]


async def test_what_was_stored_before_there_were_keys_is_still_read() -> None:
    (plain,) = await pydantic_data_converter.encode([DOCUMENT])
    assert await data_converter((OLD,)).decode([plain], [Document]) == [DOCUMENT]


async def test_an_unknown_key_is_named() -> None:
    (payload,) = await AesGcmCodec((OLD,)).encode([Payload(data=b"x")])
    with pytest.raises(CodecError, match="no payload key '2026-a' in COUNTERSIGN_PAYLOAD_KEYS"):
        await AesGcmCodec((NEW,)).decode([payload])


@pytest.mark.parametrize("position", [0, 11, 12, -1])
async def test_a_changed_payload_is_refused(position: int) -> None:
    (payload,) = await AesGcmCodec((OLD,)).encode([Payload(data=CANARY.encode())])
    changed = bytearray(payload.data)
    changed[position] ^= 1
    with pytest.raises(CodecError, match="was changed or has another key") as refused:
        await AesGcmCodec((OLD,)).decode([Payload(metadata=payload.metadata, data=bytes(changed))])
    assert CANARY not in "".join(traceback.format_exception(refused.value))


async def test_a_payload_cut_short_is_refused() -> None:
    (payload,) = await AesGcmCodec((OLD,)).encode([Payload(data=b"x")])
    with pytest.raises(CodecError):
        await AesGcmCodec((OLD,)).decode([Payload(metadata=payload.metadata, data=payload.data[:8])])


async def test_a_payload_cannot_be_moved_to_another_key_id() -> None:
    twin = PayloadKey("twin", OLD.key)
    (payload,) = await AesGcmCodec((OLD,)).encode([Payload(data=b"x")])
    payload.metadata["encryption-key-id"] = b"twin"
    with pytest.raises(CodecError):
        await AesGcmCodec((OLD, twin)).decode([payload])


@pytest.mark.real_server
async def test_with_keys_the_server_cannot_read_what_a_document_is_called(tmp_path: Path, dev_server: str) -> None:
    desk = Desk(tmp_path)
    prepared = await desk.prepare(document={"file": "msa.pdf", "name": "Project Nightingale"})
    client = await own_namespace(dev_server, data_converter([OLD]))
    started = await start(client, desk.store, prepared)
    handle = client.get_workflow_handle(started.workflow_id)
    described, history = await handle.describe(), await handle.fetch_history()
    assert (await described.memo())[MEMO_DOCUMENT] == "Project Nightingale"
    server_messages = [described.raw_description, *history.events]
    assert [message for message in server_messages if b"Nightingale" in message.SerializeToString()] == []


async def test_failures_are_encrypted_with_message_and_stack() -> None:
    converter = data_converter((OLD,))
    try:
        raise ApplicationError(CANARY, CANARY, type="refused")
    except ApplicationError as error:
        failure = Failure()
        await converter.encode_failure(error, failure)
    assert CANARY.encode() not in failure.SerializeToString()
    assert b"test_codec.py" not in failure.SerializeToString()
    back = await converter.decode_failure(failure)
    assert isinstance(back, ApplicationError)
    assert (back.message, list(back.details), back.type) == (CANARY, [CANARY], "refused")
