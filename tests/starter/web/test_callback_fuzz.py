"""Thousands of hostile callbacks: no answer asks for a repeat, and nothing reaches a workflow."""

import asyncio
import json
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.starter.web.receiving import JSON, RecordingSignals, encode_body, make_callback, receiver

MUTATIONS = 4400
INVENTIONS = 100
ODD: list[Any] = [
    None, True, 0, -1, 1.5, 10**30, "", "0", "\x00", "\u202e", "é" * 300, [], {}, [[]], {"a": {"b": []}}, "signed", "'",
]  # fmt: skip

JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.fixed_dictionaries({}, optional=dict.fromkeys(make_callback(), JSONS))
HEADERS = st.just(JSON) | st.dictionaries(
    st.sampled_from(["content-type", "content-encoding"]), st.sampled_from(["application/json", "gzip", "", "\xff"])
)


def mutate_callback(chance: random.Random) -> bytes:
    """A genuine callback of somebody else's secret, or one of ours with time, type, hash or bytes tampered with."""
    if chance.random() < 0.2:
        return encode_body(make_callback(secret=chance.choice(["", "guess", "YOUR_TOKEN_HERE "])))
    if chance.random() < 0.5:
        field = chance.choice(["event_time", "event_type", "event_hash"])
        value = chance.choice([odd for odd in ODD if odd != make_callback()[field]])
        return encode_body(
            make_callback() | {field: value, "document": chance.choice([*ODD, make_callback()["document"]])}
        )
    body = bytearray(encode_body(make_callback(event_hash=f"{chance.getrandbits(256):064x}")))
    for _ in range(chance.randint(0, 8)):
        position = chance.randrange(len(body))
        body[position : position + chance.randint(0, 4)] = bytes(
            chance.getrandbits(8) for _ in range(chance.randint(0, 4))
        )
    return bytes(body[: chance.randint(0, len(body))] if chance.random() < 0.3 else body)


async def test_no_mutation_of_a_genuine_callback_is_listened_to() -> None:
    chance = random.Random(20261109)  # noqa: S311  a story that can be told again
    signals = RecordingSignals()
    callback_receiver = receiver(signals)
    statuses = Counter(
        [(await callback_receiver.receive(JSON, mutate_callback(chance))).status for _ in range(MUTATIONS)]
    )
    assert set(statuses) == {400, 401}, statuses
    assert signals.delivered == []


@pytest.mark.long
@settings(max_examples=INVENTIONS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(headers=HEADERS, body=st.binary(max_size=200) | FIELDS.map(lambda fields: json.dumps(fields).encode()))
def test_no_invention_is_listened_to(headers: dict[str, str], body: bytes) -> None:
    signals = RecordingSignals()
    reply = asyncio.run(receiver(signals).receive(headers, body))
    assert reply.status in {400, 401}
    assert signals.delivered == []


@pytest.mark.long
@settings(max_examples=INVENTIONS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(changes=st.fixed_dictionaries({}, optional=dict.fromkeys(["uuid", "document", "signer", "timestamp"], JSONS)))
def test_a_genuine_hash_with_any_body_never_breaks_the_receiver(changes: dict[str, Any]) -> None:
    signals = RecordingSignals()
    reply = asyncio.run(receiver(signals).receive(JSON, encode_body(make_callback(**changes))))
    assert reply.status in {200, 400}
