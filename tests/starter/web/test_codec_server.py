"""The codec for Temporal's Web UI and command line: who may call it, what it answers, and nonsense of every kind."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from activities.records.store import Store
from starter.boot import clients
from starter.config.settings import Settings, SettingsError, load
from starter.web.app import NEEDS, make_app
from starter.web.http.oidc import Issuer
from starter.web.http.serving import with_peer
from starter.web.receivers.codec import BYTES_AT_MOST, CALLS_OF_AN_ADDRESS, REFUSALS_OF_AN_ADDRESS, CodecServer
from tests.starter.terminal import make_complete_environment
from tests.starter.web.issuing import AUDIENCE, OpenIssuer, open_issuer

KEY: Final = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY: Final = base64.b64encode(bytes(32)).decode()
TOKEN: Final = "a-token-for-the-command-line"
ORIGIN: Final = "https://temporal.supplier.test"
LAPTOP: Final = "http://127.0.0.1:8233"
SECRET: Final = "Zoë buys a boat"
PLAIN: Final = {
    "metadata": {"encoding": base64.b64encode(b"json/plain").decode()},
    "data": base64.b64encode(SECRET.encode()).decode(),
}
BEARER: Final = {"authorization": f"Bearer {TOKEN}"}
AS_JSON: Final = {**BEARER, "content-type": "application/json"}
NOW: Final = datetime(2027, 1, 11, 9, tzinfo=UTC)
NOTHING: Final[Mapping[str, str]] = {}
PEOPLE: Final = """people:
- {id: ops, name: O, email: Ops@Supplier.test, zone: Europe/Amsterdam, groups: [operators]}
- {id: ada, name: A, email: ada@supplier.test, zone: Europe/Amsterdam}
"""


@dataclass
class Codec:
    """The addresses of the codec, called from a machine."""

    settings: Settings
    client: httpx.AsyncClient

    async def call(self, operation: str = "decode", payloads: Any = (PLAIN,), **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(f"/codec/{operation}", json={"payloads": list(payloads)}, headers=named)


@asynccontextmanager
async def codec(
    folder: Path,
    issuer: OpenIssuer | None = None,
    changes: Mapping[str, str] = NOTHING,
    *,
    peer: str = "10.0.0.9",
    host: str = "http://sign.example",
) -> AsyncIterator[Codec]:
    """One that needs a token, unless changed."""
    named = {
        "CODEC": "on",
        "CODEC_ORIGIN": ORIGIN,
        "CODEC_TOKEN": TOKEN,
        "PAYLOAD_KEYS": f"k={KEY}",
        "OPERATORS": "operators",
    }
    if issuer:
        named |= {"OIDC_ISSUER": issuer.url, "OIDC_AUDIENCE": AUDIENCE}
    environment = make_complete_environment(folder) | {
        f"COUNTERSIGN_{name}": text for name, text in {**named, **changes}.items()
    }
    (folder / "people.yaml").write_text(PEOPLE)
    settings = load(*NEEDS, environment=environment)
    people = clients.directory(settings, Store(settings.store_url))
    server = CodecServer(settings, people, Issuer(settings.oidc) if issuer else None, clock=lambda: NOW)
    app = with_peer(make_app(server.routes()))
    transport = httpx.ASGITransport(app, client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url=host, trust_env=False) as client:
        yield Codec(settings, client)


async def test_what_is_encrypted_is_read_again_and_what_is_plain_or_of_another_key_passes(tmp_path: Path) -> None:
    async with codec(tmp_path) as server, codec(tmp_path, None, {"PAYLOAD_KEYS": f"other={OTHER_KEY}"}) as other_server:
        encrypted = (await server.call("encode", **BEARER)).json()["payloads"]
        assert str(PLAIN["data"]) not in json.dumps(encrypted)
        answer = await server.call("decode", [*encrypted, PLAIN], **BEARER)
        assert (answer.status_code, answer.json()) == (200, {"payloads": [PLAIN, PLAIN]})
        assert (await other_server.call("decode", encrypted, **BEARER)).json() == {"payloads": encrypted}
        assert answer.headers["cache-control"] == "no-store"
        assert (await server.client.post("/codec/decode", json={}, headers=BEARER)).json() == {}


async def test_it_is_off_unless_it_is_switched_on(tmp_path: Path) -> None:
    async with codec(tmp_path, None, {"CODEC": "off"}) as server:
        assert (await server.call(**BEARER)).status_code == 404


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"PAYLOAD_KEYS": ""}, "COUNTERSIGN_PAYLOAD_KEYS: is missing"),
        ({"CODEC_TOKEN": ""}, "COUNTERSIGN_OIDC_ISSUER: is missing"),
        ({"CODEC_TOKEN": "", "OIDC_ISSUER": "https://id.test"}, "COUNTERSIGN_OIDC_AUDIENCE: is missing"),
        (
            {"OIDC_ISSUER": "https://id.test", "OIDC_AUDIENCE": "x", "OPERATORS": ""},
            "COUNTERSIGN_OPERATORS: is missing",
        ),
        ({"CODEC_TOKEN": "", "CODEC_ORIGIN": LAPTOP}, "COUNTERSIGN_OIDC_ISSUER: is missing"),
        ({"CODEC_ORIGIN": f"{ORIGIN}/ui"}, "COUNTERSIGN_CODEC_ORIGIN: must be an address without a path"),
        ({"CODEC_TOKEN": "short"}, "COUNTERSIGN_CODEC_TOKEN: must be keys of at least 16 characters"),
    ],
)
async def test_without_what_protects_it_the_web_process_does_not_start(
    tmp_path: Path, changes: dict[str, str], missing: str
) -> None:
    with pytest.raises(SettingsError, match=missing):
        async with codec(tmp_path, None, changes):
            pass


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"origin": ORIGIN}, 401),
        ({"authorization": f"Basic {TOKEN}"}, 401),
        ({"authorization": f"Bearer {TOKEN}x"}, 401),
        ({"authorization": "Bearer é"}, 401),
        ({**BEARER, "origin": "https://evil.test"}, 403),
        ({**BEARER, "origin": "null"}, 403),
        ({**BEARER, "origin": f"{ORIGIN}.evil.test"}, 403),
        ({**BEARER, "origin": ORIGIN.upper()}, 403),
        (BEARER, 200),
        ({**BEARER, "origin": ORIGIN}, 200),
    ],
)
async def test_who_may_call(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    async with codec(tmp_path) as server:
        answer = await server.client.post("/codec/decode", json={"payloads": [PLAIN]}, headers=raw)
    assert answer.status_code == status
    assert ("www-authenticate" in answer.headers) == (status == 401)
    readable = headers.get("origin") == ORIGIN
    assert answer.headers.get("access-control-allow-origin") == (ORIGIN if readable else None)
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_browser_is_told_that_a_page_of_the_web_ui_may_call_and_no_other(tmp_path: Path) -> None:
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,x-namespace"}
    async with codec(tmp_path) as server:
        allowed = await server.client.options("/codec/decode", headers={**asks, "origin": ORIGIN})
        refused = await server.client.options("/codec/decode", headers={**asks, "origin": "https://evil.test"})
    assert (allowed.status_code, refused.status_code) == (204, 403)
    assert allowed.headers["access-control-allow-headers"] == "authorization, content-type, x-namespace"
    assert [name for name in refused.headers if name.startswith("access-control")] == []


async def test_operators_read_by_the_token_of_their_issuer_and_others_do_not(tmp_path: Path) -> None:
    async with open_issuer() as issuer, codec(tmp_path, issuer) as server:
        tokens = {
            issuer.token(email="ops@supplier.test"): 200,
            issuer.token(email="ada@supplier.test"): 403,
            issuer.token(email="nobody@supplier.test"): 403,
            issuer.token(email="ops@supplier.test", aud="others"): 401,
        }
        with capture_logs() as logs:
            for token, status in tokens.items():
                assert (await server.call(authorization=f"Bearer {token}", origin=ORIGIN)).status_code == status
        assert (await server.call(**BEARER)).status_code == 200
    assert [entry["by"] for entry in logs if entry["event"] == "payloads are decrypted or encrypted"] == ["ops"]
    assert "supplier.test" not in str(logs)


async def test_while_it_is_not_known_who_is_an_operator_nobody_reads(tmp_path: Path) -> None:
    async with open_issuer() as issuer, codec(tmp_path, issuer) as server:
        issuer.is_away = True
        answer = await server.call(authorization=f"Bearer {issuer.token(email='ops@supplier.test')}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")


ON_A_LAPTOP: Final = {"CODEC_ORIGIN": LAPTOP, "CODEC_TOKEN": "", "LINK_BASE": "http://127.0.0.1:8080"}


@pytest.mark.parametrize(
    ("peer", "host", "headers", "status"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080", {"origin": LAPTOP}, 200),
        ("127.0.0.1", "http://127.0.0.1:8080", {}, 401),
        ("127.0.0.1", "http://127.0.0.1:8080", {"origin": "http://127.0.0.1:8234"}, 403),
        ("127.0.0.1", "http://127.0.0.1:8080", {"origin": "http://localhost:8233"}, 403),
        ("127.0.0.1", "http://rebound.evil.test", {"origin": LAPTOP}, 401),
        ("127.0.0.1", "http://127.0.0.1:8080", {"origin": LAPTOP, "x-forwarded-for": "10.0.0.9"}, 401),
        ("10.0.0.9", "http://127.0.0.1:8080", {"origin": LAPTOP}, 401),
        ("127.0.0.1", "http://127.0.0.1:8080", {"origin": LAPTOP, "host": "["}, 401),
    ],
)
async def test_on_a_laptop_the_web_ui_reads_without_a_token_and_nobody_else(
    tmp_path: Path, peer: str, host: str, headers: dict[str, str], status: int
) -> None:
    async with codec(tmp_path, None, ON_A_LAPTOP, peer=peer, host=host) as server:
        assert server.settings.codec_open
        assert (await server.call(**headers)).status_code == status


@pytest.mark.long
async def test_a_token_that_is_guessed_has_few_tries_and_calls_in_all_are_limited(tmp_path: Path) -> None:
    async with codec(tmp_path) as server:
        wrong = [await server.call(authorization="Bearer guess") for _ in range(10 * REFUSALS_OF_AN_ADDRESS.burst)]
        assert [answer.status_code for answer in wrong].count(401) == REFUSALS_OF_AN_ADDRESS.burst
        assert (wrong[-1].status_code, int(wrong[-1].headers["retry-after"]) > 0) == (429, True)
        assert (await server.call(**BEARER)).status_code == 429, "the right one is not tried either"
    async with codec(tmp_path, peer="10.0.0.8") as server:
        asks = {"origin": ORIGIN}
        answers = [
            await server.client.options("/codec/decode", headers=asks) for _ in range(CALLS_OF_AN_ADDRESS.burst + 1)
        ]
        assert [answer.status_code for answer in answers] == [204] * CALLS_OF_AN_ADDRESS.burst + [429]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"null", 400),
        (b"\xff\xfe", 400),
        (b'{"payloads": 3}', 400),
        (b'{"payloads": [3]}', 400),
        (b'{"payloads": [{"data": 1}]}', 400),
        (b'{"payloads": [{"unheard_of": 1}]}', 400),
        (b'{"payloads": [{"metadata": {"\\ud800": "eA=="}}]}', 400),
        (b'{"payloads": ' + b"[" * 1000 + b"]" * 1000 + b"}", 400),
        (b'{"payloads": [' + b"{}," * 100_000 + b"{}]}", 400),
        (b'{"payloads": [{"data": "' + b"A" * BYTES_AT_MOST + b'"}]}', 413),
    ],
)
async def test_nonsense_is_refused_and_never_a_fault_of_ours(tmp_path: Path, body: bytes, status: int) -> None:
    async with codec(tmp_path) as server:
        for operation in ("decode", "encode"):
            assert (
                await server.client.post(f"/codec/{operation}", content=body, headers=AS_JSON)
            ).status_code == status
        assert (await server.client.post("/codec/decode", content=body, headers=BEARER)).status_code == 415
        assert (await server.client.get("/codec/decode", headers=BEARER)).status_code == 405


async def test_a_payload_that_was_changed_is_given_back_as_it_is_and_nothing_of_any_is_logged(tmp_path: Path) -> None:
    async with codec(tmp_path) as server:
        with capture_logs() as logs:
            [encrypted] = (await server.call("encode", **BEARER)).json()["payloads"]
            changed = {**encrypted, "data": base64.b64encode(base64.b64decode(encrypted["data"])[::-1]).decode()}
            short = {**encrypted, "data": ""}
            answer = await server.call("decode", [changed, short, encrypted], **BEARER)
    assert answer.json()["payloads"] == [changed, {"metadata": encrypted["metadata"]}, PLAIN]
    log_text = str(logs)
    assert SECRET not in log_text and encrypted["data"] not in log_text and TOKEN not in log_text


@pytest.mark.long
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["payloads", "metadata", "data", "encoding"]) | st.text(max_size=5), inner, max_size=3
            )
        ),
        max_leaves=10,
    )
)
async def test_no_invention_is_answered_with_5xx(tmp_path_factory: pytest.TempPathFactory, body: Any) -> None:
    async with codec(tmp_path_factory.mktemp("codec")) as server:
        answer = await server.client.post("/codec/decode", content=json.dumps(body), headers=AS_JSON)
    assert answer.status_code in (200, 400)
