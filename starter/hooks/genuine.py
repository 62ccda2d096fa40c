"""Whether a call comes from who holds one of a source's secrets: it signs the body, or says the secret itself."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import SecretStr
from standardwebhooks import Webhook

from starter.setting_values import SIGNING_KEY

SIGNATURE_HEADERS: Final = ("x-signature", "x-hub-signature-256")
"""Where a signature is looked for unless the mapping names a header."""
APART_AT_MOST: Final = timedelta(minutes=5)
"""Between our clock and that of a caller by Standard Webhooks, who signs the time as well."""
SIGNATURES_AT_MOST: Final = 10
"""Of one call by Standard Webhooks, which has several while a secret is rotated."""
_BEARER: Final = "bearer "
_ALGORITHM: Final = "sha256="


def is_genuine(
    headers: Mapping[str, str], body: bytes, secrets: Iterable[SecretStr], *, header: str | None, now: datetime
) -> bool:
    """Whether one of `secrets` vouches for the body; `headers` have lower-case names, `header` has the signature."""
    given = [
        one.encode("utf-8", "replace") for one in _given(headers, (header.lower(),) if header else SIGNATURE_HEADERS)
    ]
    expected = [one for secret in secrets for one in _expected(secret.get_secret_value(), headers, body, now)]
    # All are compared before one counts, so that the time taken does not tell which it was.
    matches = [hmac.compare_digest(one.encode(), other) for one in expected for other in given]
    return any(matches)


def _given(headers: Mapping[str, str], signed_in: Iterable[str]) -> Iterator[str]:
    bearer = headers.get("authorization", "")
    if bearer[: len(_BEARER)].lower() == _BEARER:
        yield f"{_BEARER}{bearer[len(_BEARER) :].strip()}"
    for name in signed_in:
        if signature := headers.get(name, "").strip():
            yield f"{_ALGORITHM}{signature.removeprefix(_ALGORITHM)}"
    yield from headers.get("webhook-signature", "").split(" ", SIGNATURES_AT_MOST)[:SIGNATURES_AT_MOST]


def _expected(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Iterator[str]:
    """What a call by this secret says, in each of the ways it may: what says one thing cannot be taken for another."""
    yield f"{_BEARER}{secret}"
    digest = hmac.digest(secret.encode(), body, hashlib.sha256)
    yield f"{_ALGORITHM}{digest.hex()}"
    yield f"{_ALGORITHM}{base64.b64encode(digest).decode()}"
    sent = _instant(headers.get("webhook-timestamp", ""))
    text = _text(body)
    if secret.startswith(SIGNING_KEY) and sent and abs(now - sent) <= APART_AT_MOST and text is not None:
        yield Webhook(secret).sign(msg_id=headers.get("webhook-id", ""), timestamp=sent, data=text)


def _text(body: bytes) -> str | None:
    """None of what is none: made into one, it would have the signature of another body."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _instant(text: str) -> datetime | None:
    return datetime.fromtimestamp(int(text), UTC) if text.isascii() and text.isdigit() and len(text) <= 11 else None
