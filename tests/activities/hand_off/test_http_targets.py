"""Signed calls downstream: what the receiver can verify, and what its answers mean."""

import asyncio
import base64
import hmac
import json
import re
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from activities.documents.files import SIGNED
from activities.hand_off import http_call as downstream
from activities.hand_off.http_call import CALLS_AT_ONCE, HttpTargets, HttpTargetsConfig, _CallLimit
from activities.http.client import make_client
from activities.http.transport import Guard
from activities.records.store import Store
from deploy.sandbox.server import running
from deploy.sandbox.state.settings import SandboxSettings
from tests.activities.fault_table import ASKED_TO_WAIT, FAULTS, LATE, SHORT, arm_always, calls_of
from workflows.follow_up.options import LONGEST_WAIT
from workflows.model.hand_off import HandoffResult
from workflows.model.policy import Format, Target
from workflows.names import webhook_id

URL = "https://erp.example/hooks/signed"
FINANCE = Target(target="finance", url=URL)
ID = webhook_id("msa-0042/handoff/finance")
OLD, NEW = "whsec_b2xkIHNlY3JldCBvZiBmaW5hbmNl", "whsec_bmV3IHNlY3JldCBvZiBmaW5hbmNl"
PAYLOAD = {"type": "signature.settled", "data": {"request": "msa-0042", "name": "Ümläut ✍️"}}


async def to_public(host: str, port: int) -> Sequence[str]:
    """Every name is on the open internet."""
    return ["93.184.216.34"]


def make_caller(transport: httpx.AsyncBaseTransport, secrets: Sequence[str] = ()) -> HttpTargets:
    """A caller of finance with these secrets."""
    config = HttpTargetsConfig(secrets={"finance": [SecretStr(secret) for secret in secrets]} if secrets else {})
    return HttpTargets(make_client(transport=transport), config, Guard((), to_public))


async def capture_request(secrets: Sequence[str] = ()) -> httpx.Request:
    """The request that finance gets."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(204)

    assert await make_caller(httpx.MockTransport(answer), secrets).call(FINANCE, ID, PAYLOAD) == HandoffResult(
        target="finance", ok=True
    )
    (request,) = requests
    return request


async def call_answered_with(status: int, headers: dict[str, str] | None = None) -> HandoffResult:
    """The result when finance answers so."""
    transport = httpx.MockTransport(lambda _: httpx.Response(status, headers=headers, html="<p>personal data</p>"))
    return await make_caller(transport).call(FINANCE, ID, PAYLOAD)


@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_every_secret_of_a_rotation_verifies_the_call(secret: str) -> None:
    request = await capture_request([OLD, NEW])
    assert Webhook(secret).verify(request.content, dict(request.headers)) == PAYLOAD
    assert request.headers["webhook-id"] == ID


async def test_an_attached_document_is_a_part_of_the_form_and_of_what_is_signed(tmp_path: Path) -> None:
    store, pdf = Store(str(tmp_path)), b"%PDF-1.7 " + bytes(range(256)) * 1_000
    file = await store.files.open(await store.files.put(pdf, SIGNED), SIGNED)
    requests: list[httpx.Request] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        await request.aread()
        requests.append(request)
        return httpx.Response(204)

    for _ in range(2):
        assert (await make_caller(httpx.MockTransport(answer), [OLD]).call(FINANCE, ID, PAYLOAD, file)).ok
    first, second = requests
    assert first.content == second.content
    assert first.headers["content-length"] == str(len(first.content))
    head = b"content-type: " + first.headers["content-type"].encode() + b"\r\n\r\n"
    event, document = message_from_bytes(head + first.content, policy=policy.HTTP).iter_parts()
    assert json.loads(event.get_content()) == PAYLOAD
    assert (document.get_content_type(), document.get_content()) == ("application/pdf", pdf)
    signed_prefix = f"{ID}.{first.headers['webhook-timestamp']}.".encode()
    key = base64.b64decode(OLD.removeprefix("whsec_"))
    signed = base64.b64encode(hmac.digest(key, signed_prefix + first.content, "sha256")).decode()
    assert first.headers["webhook-signature"] == f"v1,{signed}"


def test_the_id_of_a_call_has_no_dot_and_is_that_of_one_hand_off() -> None:
    first, second = webhook_id("a.b/handoff/c"), webhook_id("a/handoff/b.c")
    assert re.fullmatch(r"msg_[A-Za-z0-9_-]{22}", first)
    assert first != second


async def test_another_secret_does_not() -> None:
    request = await capture_request([OLD])
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(request.content, dict(request.headers))


async def test_without_a_secret_the_call_is_unsigned() -> None:
    request = await capture_request()
    assert "webhook-signature" not in request.headers
    assert json.loads(request.content) == PAYLOAD


async def test_a_cloud_event_says_what_it_is() -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(204)

    await make_caller(httpx.MockTransport(answer)).call(FINANCE.replace(format=Format.CLOUDEVENTS), ID, PAYLOAD)
    await make_caller(httpx.MockTransport(answer)).call(FINANCE, ID, PAYLOAD)
    content_types = [request.headers["content-type"] for request in requests]
    assert content_types == ["application/cloudevents+json; charset=utf-8", "application/json"]


async def test_the_call_goes_to_the_checked_address_under_its_own_name() -> None:
    request = await capture_request()
    assert (request.url.host, request.headers["host"]) == ("93.184.216.34", "erp.example")
    assert request.extensions["sni_hostname"] == "erp.example"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_2xx_is_done(status: int) -> None:
    assert (await call_answered_with(status)).ok


async def test_410_is_gone_for_good() -> None:
    assert await call_answered_with(410) == HandoffResult(
        target="finance", ok=False, gone=True, disabled=True, why="HTTP 410"
    )


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 409, 429, 500, 502, 503])
async def test_anything_else_is_tried_again(status: int) -> None:
    result = await call_answered_with(status, {"location": "http://127.0.0.1/"})
    assert (result.ok, result.gone, result.why) == (False, False, f"HTTP {status}")


@pytest.mark.parametrize(
    ("status", "delivery_header", "result"),
    [
        (500, "abort-message", {"ok": False, "gone": True, "why": "abort-message"}),
        (429, " Abort-Message ", {"ok": False, "gone": True, "why": "no further attempt"}),
        (200, "abort-message", {"ok": True, "gone": False, "why": None}),
        (503, "disable", {"ok": False, "gone": True, "disabled": True, "why": "HTTP 503, it wants no more calls"}),
        (204, "disable", {"ok": True, "gone": False, "disabled": True, "why": "it wants no more calls"}),
        (500, "<script>" * 1_000, {"ok": False, "gone": False, "why": "HTTP 500"}),
    ],
)
async def test_what_a_receiver_wants_of_further_calls_is_heeded(
    status: int, delivery_header: str, result: dict[str, Any]
) -> None:
    outcome = await call_answered_with(status, {"webhook-delivery": delivery_header})
    reason = result.pop("why")
    assert {"disabled": False} | result == outcome.model_dump(include={"ok", "gone", "disabled"})
    assert outcome.why is None if reason is None else reason in (outcome.why or "")
    assert len(outcome.why or "") < 100


async def test_a_wait_that_was_asked_for_is_kept_in_either_form() -> None:
    assert (await call_answered_with(429, {"retry-after": "90"})).retry_after == 90
    date = (datetime.now(UTC) + timedelta(minutes=2)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert 100 < (await call_answered_with(503, {"retry-after": date})).retry_after <= 120


async def test_nobody_has_us_wait_for_years() -> None:
    assert (await call_answered_with(503, {"retry-after": "999999999999"})).retry_after == LONGEST_WAIT


async def test_no_answer_is_tried_again() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused: secret detail", request=request)

    result = await make_caller(httpx.MockTransport(refuse)).call(FINANCE, ID, PAYLOAD)
    assert (result.ok, result.gone, result.why) == (False, False, "no answer (ConnectError)")


async def test_a_name_without_an_address_is_tried_again() -> None:
    async def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    caller = HttpTargets(make_client(), HttpTargetsConfig(), Guard((), unknown))
    assert (await caller.call(FINANCE, ID, PAYLOAD)).gone is False


async def test_a_refused_address_is_asked_for_again_with_its_reason() -> None:
    caller = HttpTargets(make_client(), HttpTargetsConfig(), Guard(()))
    result = await caller.call(FINANCE.replace(url="https://169.254.169.254/"), ID, PAYLOAD)
    assert not result.gone
    assert result.why == "address refused: a private address must be listed in COUNTERSIGN_HANDOFF_HOSTS"


async def test_a_receiver_that_never_answers_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(downstream, "DEADLINE", 0.01)
    result = await make_caller(httpx.MockTransport(never)).call(FINANCE, ID, PAYLOAD)
    assert (result.ok, result.why) == (False, "no answer")


async def test_a_target_that_hangs_holds_up_its_own_calls_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downstream, "PATIENCE", 0)
    gate, hanging = asyncio.Event(), asyncio.Semaphore(0)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"/archive" in await reader.readuntil(b"\r\n\r\n"):
            hanging.release()
            await gate.wait()
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server, make_client() as client:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        caller = HttpTargets(client, HttpTargetsConfig(), Guard((host,)))
        archive, finance = (Target(target=name, url=f"http://{host}/{name}") for name in ("archive", "finance"))
        crowd = [asyncio.create_task(caller.call(archive, ID, PAYLOAD)) for _ in range(10 * CALLS_AT_ONCE)]
        for _ in range(CALLS_AT_ONCE):
            await hanging.acquire()
        assert (await caller.call(finance, ID, PAYLOAD)).ok
        gate.set()
        results = await asyncio.gather(*crowd)
        assert Counter((result.ok, result.held) for result in results) == {
            (True, False): CALLS_AT_ONCE,
            (False, True): 9 * CALLS_AT_ONCE,
        }
        assert (await caller.call(archive, ID, PAYLOAD)).ok


async def test_a_host_that_a_target_has_no_more_holds_up_no_calls_of_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What lives keeps the address it began with: moved away from a host that hangs, others would wait behind it."""
    monkeypatch.setattr(downstream, "PATIENCE", 0)
    gate, hanging = asyncio.Event(), asyncio.Semaphore(0)

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["host"] == "old.example":
            hanging.release()
            await gate.wait()
        return httpx.Response(204)

    caller = make_caller(httpx.MockTransport(answer))
    old_target, new_target = (FINANCE.replace(url=f"https://{host}/hooks") for host in ("old.example", "new.example"))
    crowd = [asyncio.create_task(caller.call(old_target, ID, PAYLOAD)) for _ in range(CALLS_AT_ONCE)]
    for _ in range(CALLS_AT_ONCE):
        await hanging.acquire()
    assert (await caller.call(old_target.replace(url="https://old.example/other"), ID, PAYLOAD)).held
    assert (await caller.call(new_target, ID, PAYLOAD)).ok
    gate.set()
    await asyncio.gather(*crowd)


async def test_nobody_waits_for_a_place_while_a_target_answers_late() -> None:
    places = _CallLimit()
    for _ in range(CALLS_AT_ONCE):
        assert await places.acquire()
    waiting = asyncio.create_task(places.acquire())
    await asyncio.wait([waiting], timeout=0)
    places.release(seconds=downstream.PATIENCE)
    assert await waiting
    async with asyncio.timeout(downstream.PATIENCE / 2):
        assert not await places.acquire()
    places.release(seconds=0.1)
    assert await places.acquire()


async def test_a_call_for_which_there_is_no_connection_is_none() -> None:
    def full(request: httpx.Request) -> httpx.Response:
        raise httpx.PoolTimeout("full", request=request)

    caller = make_caller(httpx.MockTransport(full))
    result = await caller.call(FINANCE, ID, PAYLOAD)
    assert (result.held, result.why) == (True, "not called yet: as many calls as are made at once wait for an answer")

    async def waits(ids: range) -> list[float]:
        return [(await caller.call(FINANCE, webhook_id(f"msa-{id}"), PAYLOAD)).retry_after for id in ids]

    crowd = await waits(range(10 * CALLS_AT_ONCE))
    assert max(Counter(int(wait // 30) for wait in crowd).values()) < 3 * CALLS_AT_ONCE, "they come back together"
    assert min(crowd) >= downstream.HELD_FOR and max(crowd) <= 2 * downstream.HELD_FOR
    assert crowd == await waits(range(10 * CALLS_AT_ONCE))


AGAIN = {
    "refuse": "no answer (ReadError)",
    "cut": "no answer (ReadError)",
    "slow": "no answer",
    "302": "HTTP 302",
    "400": "HTTP 400",
    "401": "HTTP 401",
    "401-of-a-gateway": "HTTP 401",
    "403": "HTTP 403",
    "404": "HTTP 404",
    "409": "HTTP 409",
    "413": "HTTP 413",
    "429": "HTTP 429",
    "429-for-seconds": "HTTP 429",
    "429-until-a-date": "HTTP 429",
    "500": "HTTP 500",
    "502": "HTTP 502",
    "503": "HTTP 503",
    "503-as-a-page": "HTTP 503",
}
"""The faults after which a target is called again, with the reason that is kept."""
DONE = {
    "slow-in-time": "the receipt comes within the deadline",
    "drip": "the receipt is the status, and it is there before the first byte of the body",
    "truncate": "of a body that nobody reads half is as good as all",
    "html": "the contract of Standard Webhooks: any 2xx is the receipt, whatever it says",
    "huge": "a body that nobody reads costs nothing",
}
"""The faults that do no harm to a call whose answer has a status and nothing else, and why."""


GONE = {"410": "HTTP 410"}
"""The faults after which a target is never called again."""


def test_every_fault_and_every_call_is_in_the_table() -> None:
    assert sorted([*AGAIN, *DONE, *GONE]) == sorted(FAULTS)
    assert calls_of(HttpTargets) == {"call"}, "a ping is one too"


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_of_a_receiver_has_its_result(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    if fault in LATE - DONE.keys():
        monkeypatch.setattr(downstream, "DEADLINE", SHORT)
    async with running(SandboxSettings()) as sandbox, make_client() as client:
        hosts = (sandbox.url.removeprefix("http://"),)
        caller = HttpTargets(client, HttpTargetsConfig(), Guard(hosts))
        arm_always(sandbox, fault, "/_sandbox/targets/*")
        result = await caller.call(FINANCE.replace(url=f"{sandbox.url}/_sandbox/targets/finance"), ID, PAYLOAD)
        entries = sandbox.state.ledger.list_entries_after(0)
    reason = (AGAIN | GONE).get(fault)
    assert (result.ok, result.gone, result.why) == (fault in DONE, fault in GONE, reason)
    assert (result.retry_after > 0) == (fault in ASKED_TO_WAIT)
    assert [entry["path"] for entry in entries if entry["type"] == "request"] == ["/_sandbox/targets/finance"]


@pytest.mark.parametrize(("name", "refusal"), [("erp.example", None), ("other.example", "certificate")])
async def test_tls_is_verified_for_the_name_not_the_address(tmp_path: Path, name: str, refusal: str | None) -> None:
    authority = certificate(tmp_path, name)
    async with tls_server(tmp_path) as port:

        async def resolve_to_loopback(host: str, _: int) -> Sequence[str]:
            return ["127.0.0.1"]

        async with make_client(trust=ssl.create_default_context(cadata=authority)) as client:
            caller = HttpTargets(client, HttpTargetsConfig(), Guard((f"erp.example:{port}",), resolve_to_loopback))
            result = await caller.call(FINANCE.replace(url=f"https://erp.example:{port}/hook"), ID, PAYLOAD)
    assert result.ok is (refusal is None)
    assert (refusal or "") in (result.why or "")


@asynccontextmanager
async def tls_server(folder: Path) -> AsyncIterator[int]:
    """A server that answers 200 to anything, with the certificate in `folder`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def certificate(folder: Path, name: str) -> str:
    """A certificate for `name` that signs itself, with its key in `folder`; returns it as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed_certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    pem = signed_certificate.public_bytes(Encoding.PEM)
    (folder / "certificate.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return pem.decode()
