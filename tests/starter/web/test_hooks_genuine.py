"""Who is believed: each way to vouch for a body, each of a source's secrets, and nothing that was altered."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from starter.web.intake.hooks import APART_AT_MOST, SIGNATURES_AT_MOST, is_genuine

NOW = datetime(2026, 11, 26, 10, tzinfo=UTC)
BODY = '{"deal": {"company": "Zoë"}}'.encode()
NEW, OLD = "a-secret-of-the-crm", "whsec_" + base64.b64encode(bytes(range(32))).decode()
SECRETS = (SecretStr(NEW), SecretStr(OLD))


def is_believed(headers: dict[str, str], body: bytes = BODY, header: str | None = None, now: datetime = NOW) -> bool:
    return is_genuine(headers, body, SECRETS, header=header, now=now)


def compute_digest(secret: str = NEW, body: bytes = BODY) -> bytes:
    return hmac.digest(secret.encode(), body, hashlib.sha256)


def make_standard_headers(sent_at: datetime = NOW, body: bytes = BODY, secret: str = OLD) -> dict[str, str]:
    signature = Webhook(secret).sign(msg_id="msg_1", timestamp=sent_at, data=body.decode())
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(sent_at.timestamp())), "webhook-signature": signature}


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_each_secret_vouches_in_each_way(secret: str) -> None:
    signed = compute_digest(secret)
    for signature in (signed.hex(), f"sha256={signed.hex()}", base64.b64encode(signed).decode()):
        assert is_believed({"x-signature": signature})
        assert is_believed({"x-hub-signature-256": signature})
        assert is_believed({"x-crm-signature": signature}, header="X-Crm-Signature")
        assert not is_believed({"x-signature": signature}, header="X-Crm-Signature")
        assert not is_believed({"x-signature": signature}, BODY + b" ")
    assert is_believed({"authorization": f"Bearer {secret}"})
    assert is_believed({"authorization": f"bearer  {secret}"})


def test_standard_webhooks_are_believed_while_they_are_new() -> None:
    for late in (-APART_AT_MOST, timedelta(), APART_AT_MOST):
        assert is_believed(make_standard_headers(NOW - late))
    for late in (-10 * APART_AT_MOST, timedelta(seconds=301), 10 * APART_AT_MOST):
        assert not is_believed(make_standard_headers(NOW - late))
    assert not is_believed(make_standard_headers(), BODY.replace(b"Zo", b"zo"))
    assert not is_believed({**make_standard_headers(), "webhook-id": "msg_2"})
    assert not is_believed({**make_standard_headers(), "webhook-timestamp": str(int(NOW.timestamp()) + 1)})
    several = {
        **make_standard_headers(),
        "webhook-signature": f"v1,bm9uZQ== {make_standard_headers()['webhook-signature']}",
    }
    assert is_believed(several)
    buried = {
        **make_standard_headers(),
        "webhook-signature": "v1,bm9uZQ== " * 10 * SIGNATURES_AT_MOST + make_standard_headers()["webhook-signature"],
    }
    assert not is_believed(buried)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer "},
        {"authorization": NEW},
        {"authorization": f"Basic {NEW}"},
        {"authorization": f"Bearer {NEW}x"},
        {"authorization": "Bearer \udcff"},
        {"x-signature": NEW},
        {"x-signature": f"bearer {NEW}"},
        {"x-signature": "sha256="},
        {"x-signature": "0" * 64},
        {"x-signature": "é" * 64},
        {"webhook-signature": make_standard_headers()["webhook-signature"]},
        {**make_standard_headers(), "webhook-timestamp": "999999999999999"},
        {**make_standard_headers(), "webhook-timestamp": "٣"},
        {**make_standard_headers(), "webhook-timestamp": "-1"},
        make_standard_headers(secret="whsec_" + base64.b64encode(bytes(32)).decode()),
    ],
)
def test_nobody_else_is_believed(headers: dict[str, str]) -> None:
    assert not is_believed(headers)


def test_a_body_that_is_no_text_is_not_believed_for_another() -> None:
    signed = make_standard_headers(body="\ufffd".encode())
    assert is_believed(signed, "\ufffd".encode())
    assert not is_believed(signed, b"\xff")
