"""Which callbacks are listened to, what is answered, and what is signalled."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.metrics import ExportingProcess
from activities.reconciliation.callback_health import CallbackClockSkew
from activities.records.store import Store
from starter.web.app import note_clock
from starter.web.receivers.callbacks import CallbackReply, CallbackVerdict, SignalResult, event_hash
from tests.metering import metered
from tests.starter.web.receiving import (
    EVENT_UUID,
    JSON,
    NOW,
    OLDER_SECRET,
    SECRET,
    RecordingSignals,
    encode_body,
    format_epoch,
    make_callback,
    receiver,
)
from workflows.model.signature import WITHOUT_EFFECT, ProviderEvent

HINT = ProviderEvent(id=EVENT_UUID, type="signed", at=NOW)


async def receive_callback(body: bytes, headers: dict[str, str] = JSON, **options: Any) -> tuple[int, list[Any]]:
    signals = RecordingSignals()
    reply = await receiver(signals, **options).receive(headers, body)
    return reply.status, signals.delivered


def test_the_published_vector_is_reproduced() -> None:
    expected = "675ceef2ce146de8ba8d24ac878cdd1a0f5868b37dfe9e30699387eb18e17977"
    assert event_hash("YOUR_TOKEN_HERE", "1537889008", "converted") == expected


async def test_a_genuine_callback_becomes_a_hint_for_its_request() -> None:
    assert await receive_callback(encode_body(make_callback())) == (200, [("msa-0042", HINT)])


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"event_type": "never_heard_of"}, id="a new type of event"),
        pytest.param({"event_time": int(NOW.timestamp())}, id="time as a number"),
        pytest.param({"secret": OLDER_SECRET}, id="the secret before, in a rotation"),
        pytest.param({"event_time": format_epoch(NOW - timedelta(hours=24))}, id="as old as may be"),
        pytest.param({"event_time": format_epoch(NOW + timedelta(minutes=5))}, id="a clock that is fast"),
        pytest.param({"uuid": 17}, id="no uuid"),
        pytest.param({"signer": [], "team": "acme", "status": None}, id="other fields of other types"),
    ],
)
async def test_what_a_provider_may_do_is_accepted(changes: dict[str, Any]) -> None:
    status, signalled = await receive_callback(encode_body(make_callback(**changes)))
    assert (status, [request for request, _ in signalled]) == (200, ["msa-0042"])


@pytest.mark.parametrize("event_type", WITHOUT_EFFECT)
async def test_what_changes_nothing_is_no_signal(event_type: str) -> None:
    assert await receive_callback(encode_body(make_callback(event_type=event_type))) == (200, [])


@pytest.mark.parametrize("uuid", [..., None, "", "no uuid at all", 17, "x" * 65])
async def test_an_event_without_a_usable_uuid_is_known_by_type_time_and_document(uuid: object) -> None:
    _, [(_, event)] = await receive_callback(encode_body(make_callback(uuid=uuid)))
    assert event.id == hashlib.sha256(f"signed\n{format_epoch(NOW)}\nd-1".encode()).hexdigest()


@pytest.mark.parametrize(
    "document",
    [
        ...,
        None,
        [],
        "d-1",
        {},
        {"external_id": None},
        {"external_id": 42},
        {"external_id": ""},
        {"external_id": "x" * 101},
        {"external_id": "a/b"},
        {"external_id": "msa-0042\n"},
        {"external_id": "signature-request:msa-0042"},
    ],
)
async def test_a_document_that_cannot_be_ours_is_none_of_our_business(document: object) -> None:
    assert await receive_callback(encode_body(make_callback(document=document))) == (200, [])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"signed"',
        b"{",
        b"\xff\xfe{}",
        encode_body(make_callback()).decode().encode("utf-16"),
        b"\xef\xbb\xbf" + encode_body(make_callback()),
        encode_body(make_callback()) + b"}",
        encode_body(make_callback(extra=float("nan"))),
        encode_body(make_callback(extra=float("inf"))),
        b"[" * 100_000,
        b'["' + b"'" + b'","' * 40_001 + b'"]',
        b'["' + b'\\"' * 80_001 + b'"]',
        b'{"a":' * 33 + b"1" + b"}" * 33,
        encode_body(make_callback(extra=[1] * 30_000)),
        b'"' + b'\\"' * 400_000,
        encode_body(make_callback(event_time=...)),
        encode_body(make_callback(event_time=None)),
        encode_body(make_callback(event_time=True)),
        encode_body(make_callback(event_time="")),
        encode_body(make_callback(event_time="-5")),
        encode_body(make_callback(event_time=1.5)),
        encode_body(make_callback(event_time="1e9")),
        encode_body(make_callback(event_time="１７６２６８２４００")),
        encode_body(make_callback(event_time="9" * 5000)),
        encode_body(make_callback(event_type=...)),
        encode_body(make_callback(event_type=None)),
        encode_body(make_callback(event_type=5)),
        encode_body(make_callback(event_type="")),
        encode_body(make_callback(event_type="x" * 101)),
        encode_body(make_callback(event_type="sig\u0000ned")),
        encode_body(make_callback()).replace(b'"signed"', b'"\\ud800"'),
    ],
)
async def test_nonsense_is_malformed(body: bytes) -> None:
    assert await receive_callback(body) == (400, [])


async def test_a_number_is_read_as_it_was_written_however_long() -> None:
    body = encode_body(make_callback(extra=...)).replace(
        b'"unheard_of"', b'"long": ' + b"7" * 100_000 + b', "unheard_of"'
    )
    assert (await receive_callback(body))[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
async def test_only_plain_json_is_read(headers: dict[str, str]) -> None:
    assert await receive_callback(encode_body(make_callback()), headers) == (400, [])


async def test_parameters_of_the_content_type_do_not_matter() -> None:
    assert (await receive_callback(encode_body(make_callback()), {"content-type": "Application/JSON; charset=utf-8"}))[
        0
    ] == 200


@pytest.mark.parametrize(
    "event_hash",
    [
        ...,
        None,
        "",
        0,
        "0" * 64,
        "0" * 63,
        make_callback()["event_hash"].upper(),
        make_callback()["event_hash"] + "\n",
        "é",
    ],
)
async def test_a_hash_that_does_not_fit_is_unauthorised(event_hash: object) -> None:
    assert await receive_callback(encode_body(make_callback(event_hash=event_hash))) == (401, [])


async def test_the_hash_of_another_event_or_secret_is_unauthorised() -> None:
    assert (await receive_callback(encode_body(make_callback() | {"event_type": "declined"})))[0] == 401
    assert (
        await receive_callback(encode_body(make_callback() | {"event_time": format_epoch(NOW - timedelta(seconds=1))}))
    )[0] == 401
    assert (await receive_callback(encode_body(make_callback(secret="somebody else's"))))[0] == 401


async def test_without_secrets_nothing_is_genuine() -> None:
    assert await receive_callback(encode_body(make_callback()), secrets=()) == (401, [])


async def test_a_tenant_without_hashes_is_listened_to_when_configured_so() -> None:
    body = encode_body(make_callback(event_hash=...))
    assert (await receive_callback(body))[0] == 401
    assert await receive_callback(body, unsigned=True, secrets=()) == (200, [("msa-0042", HINT)])


_EARLY, _LATE = timedelta(minutes=-5, seconds=-1), timedelta(hours=24, seconds=1)
"""By how much a clock is off when what is genuine is just not believed."""


@pytest.mark.parametrize(
    ("clock_offset", "secret", "unsigned", "reason"),
    [
        (_EARLY, SECRET, False, CallbackVerdict.CLOCK_BEHIND),
        (_LATE, SECRET, False, CallbackVerdict.TOO_OLD),
        *(
            (clock_offset, secret, True, CallbackVerdict.OUTSIDE_WINDOW)
            for clock_offset in (_EARLY, _LATE)
            for secret in (SECRET, "forged")
        ),
        *((clock_offset, "forged", False, CallbackVerdict.BAD_HASH) for clock_offset in (_EARLY, _LATE)),
    ],
)
async def test_outside_the_window_nothing_is_taken_and_a_forger_is_told_from_a_clock(
    clock_offset: timedelta, secret: str, unsigned: bool, reason: CallbackVerdict
) -> None:
    signals = RecordingSignals()
    with metered(ExportingProcess.WEB) as counted:
        callback_receiver = receiver(signals, unsigned=unsigned, clock=lambda: NOW + clock_offset)
        assert (
            await callback_receiver.receive(JSON, encode_body(make_callback(secret=secret)))
        ).status == reason.status
        assert counted.counts() == {("countersign_callbacks", reason.reason): 1}
    assert signals.delivered == []


async def test_what_a_clock_that_is_behind_has_refused_is_taken_when_it_is_repeated_and_no_sooner() -> None:
    signals, clock = RecordingSignals(), NOW - timedelta(minutes=12)
    callback_receiver, body = receiver(signals, clock=lambda: clock), encode_body(make_callback())
    for minutes, status in ((0, 500), (1, 500), (3, 500), (8, 200)):
        clock = NOW + timedelta(minutes=minutes - 12)
        assert (await callback_receiver.receive(JSON, body)).status == status
    assert signals.delivered == [("msa-0042", HINT)]


async def test_by_how_much_a_clock_is_behind_is_noted_once_a_minute_and_holds_nobody_up() -> None:
    noted: list[tuple[timedelta, datetime]] = []
    gate = asyncio.Event()

    async def note(offset: timedelta, instant: datetime) -> None:
        noted.append((offset, instant))
        await gate.wait()

    behind = timedelta(minutes=12)
    callback_receiver = receiver(RecordingSignals(), clock=lambda: NOW - behind, note=note)
    for _ in range(100):
        assert (await callback_receiver.receive(JSON, encode_body(make_callback()))).status == 500
    await asyncio.sleep(0)
    assert noted == [(behind, NOW)]
    gate.set()


async def test_what_was_noted_of_the_clock_is_what_the_sweep_reads(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    await note_clock(store, timedelta(minutes=12), NOW)
    clock_seen = CallbackClockSkew.model_validate_json(await store.notes.clock() or b"")
    assert (clock_seen.behind, clock_seen.at) == (720, NOW)


@pytest.mark.parametrize(
    ("receipt", "status"),
    [(SignalResult.TAKEN, 200), (SignalResult.UNKNOWN, 200), (SignalResult.CLOSED, 200), (None, 500)],
)
async def test_only_an_unconfirmed_signal_asks_to_be_called_again(receipt: SignalResult | None, status: int) -> None:
    reply = await receiver(RecordingSignals(receipt)).receive(JSON, encode_body(make_callback()))
    assert reply.status == status


def test_only_what_we_are_to_blame_for_asks_to_be_called_again() -> None:
    assert {verdict for verdict in CallbackVerdict if verdict.status >= 500} == {
        CallbackVerdict.NOT_STORED, CallbackVerdict.BUSY, CallbackVerdict.CLOCK_BEHIND,
    }  # fmt: skip


def test_answers_say_nothing_of_the_reason() -> None:
    assert {reply.status: reply.body for reply in map(CallbackReply.for_verdict, CallbackVerdict)} == {
        200: "OK",
        400: "Bad Request",
        401: "Unauthorized",
        413: "Request Entity Too Large",
        500: "Internal Server Error",
    }


async def test_callbacks_are_counted_by_answer() -> None:
    signals = RecordingSignals()
    with metered(ExportingProcess.WEB) as counted:
        callback_receiver = receiver(signals)
        for body in (
            encode_body(make_callback()),
            encode_body(make_callback()),
            encode_body(make_callback(event_hash="")),
            b"nonsense",
        ):
            await callback_receiver.receive(JSON, body)
        signals.receipt = SignalResult.CLOSED
        await callback_receiver.receive(JSON, encode_body(make_callback()))
        assert counted.counts() == {
            ("countersign_callbacks", "signalled"): 2,
            ("countersign_callbacks", "closed"): 1,
            ("countersign_callbacks", "bad_hash"): 1,
            ("countersign_callbacks", "malformed"): 1,
        }
        reasons = {series[1] for series in counted.seen if series[0] == "countersign_callbacks"}
        assert reasons == {verdict.reason for verdict in CallbackVerdict}


@pytest.mark.parametrize(
    "document",
    [
        "https://core.test/api/v1/documents/d-1/",
        "/api/v1/documents/d-1/",
        {"url": "https://core.test/api/v1/documents/d-1/"},
        {"url": "https://core.test/api/v1/documents/d-1/", "uuid": "d-1", "status": "si"},
    ],
)
async def test_a_document_of_which_only_the_address_is_said_has_a_sweep_come(document: object) -> None:
    signals = RecordingSignals(SignalResult.TAKEN)
    with metered(ExportingProcess.WEB) as counted:
        reply = await receiver(signals).receive(JSON, encode_body(make_callback(document=document)))
        assert counted.counts() == {("countersign_callbacks", CallbackVerdict.TO_LOOK_UP.reason): 1}
    assert (reply.status, signals.sweeps, signals.delivered) == (200, 1, [])
    forged = encode_body(make_callback(document=document) | {"event_hash": "0" * 64})
    assert (await receiver(signals).receive(JSON, forged)).status == 401
    assert signals.sweeps == 1


_BY_HAND = "3f2c8b1e-0d4a-4c6f-9a1b-2c3d4e5f6a7b"


@pytest.mark.parametrize(
    ("event_type", "document", "knows", "answer", "sweeps"),
    [
        ("sent", {"external_id": None}, "", CallbackVerdict.TO_ADOPT, 1),
        ("signer_viewed", {"external_id": "PO-7"}, "", CallbackVerdict.TO_ADOPT, 1),
        ("never_heard_of", {"external_id": "a/b"}, "", CallbackVerdict.TO_ADOPT, 1),
        ("signed", {"external_id": "PO-7"}, f"adopted-{_BY_HAND}", CallbackVerdict.SIGNALLED, 0),
        ("signed", {"external_id": "PO-7"}, "PO-7", CallbackVerdict.SIGNALLED, 0),
        ("signed", {"external_id": None}, "", CallbackVerdict.UNKNOWN, 0),
        ("downloaded", {"external_id": None}, "", CallbackVerdict.WITHOUT_EFFECT, 0),
        ("sent", {"external_id": "PO-7", "uuid": "../7"}, "", CallbackVerdict.UNKNOWN, 0),
        ("sent", {"external_id": None, "uuid": 7}, "", CallbackVerdict.NOT_OURS, 0),
    ],
)
async def test_a_document_that_was_sent_by_hand_is_known_by_its_uuid_or_has_a_sweep_come(
    event_type: str, document: dict[str, Any], knows: str, answer: CallbackVerdict, sweeps: int
) -> None:
    """Nothing is begun here, and a request is never brought back to life: an ending has no reconcile come."""
    signals = RecordingSignals(SignalResult.UNKNOWN, knows=knows)
    body = encode_body(make_callback(event_type=event_type, document={"uuid": _BY_HAND, **document}))
    with metered(ExportingProcess.WEB) as counted:
        reply = await receiver(signals, adopted=True).receive(JSON, body)
        assert counted.counts() == {("countersign_callbacks", answer.reason): 1}
    assert (reply.status, signals.sweeps) == (200, sweeps)
    assert [request for request, _ in signals.delivered] == ([knows] if knows else [])
    signals = RecordingSignals(SignalResult.UNKNOWN)
    await receiver(signals).receive(JSON, body)
    assert signals.sweeps == 0, "it is off by default"


async def test_whose_own_id_is_that_of_an_old_request_is_known_by_the_uuid_all_the_same() -> None:
    signals = RecordingSignals(SignalResult.CLOSED, knows=f"adopted-{_BY_HAND}")
    body = encode_body(make_callback(document={"uuid": _BY_HAND, "external_id": "msa-0042"}))
    assert (await receiver(signals, adopted=True).receive(JSON, body)).status == 200
    assert [request for request, _ in signals.delivered] == [f"adopted-{_BY_HAND}"]


class UnansweredSignals(RecordingSignals):
    """A Temporal that knows no request and answers nothing about a reconcile."""

    async def reconcile(self) -> None:
        """Never over."""
        await asyncio.Event().wait()


async def test_all_that_temporal_is_asked_for_one_callback_has_one_deadline() -> None:
    """Each question has its own as well, and the caller hangs up before two of them are over."""
    body = encode_body(make_callback(event_type="sent", document={"uuid": _BY_HAND, "external_id": "PO-7"}))
    callback_receiver = receiver(UnansweredSignals(SignalResult.UNKNOWN), adopted=True, signal_seconds=0.05)
    assert (await callback_receiver.receive(JSON, body)).status == 500
