"""Time stamps (RFC 3161) of evidence: asked of an authority, and read again. Best effort: without one a pack proves the
same, but for when.
"""

import hashlib
import logging
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from activities.evidence.signing import NotSigned, UnusableKey
from activities.http.client import make_client

if TYPE_CHECKING:
    from rfc3161_client import TimeStampRequest

STAMP_BYTES_AT_MOST: Final = 65_536
"""Bytes of an authority's answer."""
_SECONDS: Final = 10.0
_EXTRA: Final = "time stamps need pip install 'countersign[evidence]'"
_LOGGER: Final = logging.getLogger("countersign.evidence")


class TimeStamps:
    """An authority by its URL, and the root certificate that its answers are checked against, if it is known."""

    def __init__(self, url: str, root: Path | None) -> None:
        self._url, self._root = url, root

    async def stamp(self, content: bytes) -> bytes | None:
        """The reply over a content; None if there is none to be had now, which is logged."""
        try:
            from rfc3161_client import HashAlgorithm, TimestampRequestBuilder  # noqa: PLC0415  an extra

            asked = TimestampRequestBuilder().data(content).hash_algorithm(HashAlgorithm.SHA256).build()
            reply = await self._ask(asked)
            check(reply, content, self._root, nonce=asked.nonce)
        except ImportError:
            _LOGGER.warning(_EXTRA)
        except (httpx.HTTPError, NotSigned, UnusableKey) as error:
            says = type(error).__name__ if isinstance(error, httpx.HTTPError) else error
            _LOGGER.warning("no time stamp: %s", says)
        else:
            return reply
        return None

    async def _ask(self, asked: "TimeStampRequest") -> bytes:
        head = {"content-type": "application/timestamp-query", "accept": "application/timestamp-reply"}
        async with (
            make_client() as client,
            client.stream("POST", self._url, content=asked.as_bytes(), headers=head, timeout=_SECONDS) as answer,
        ):
            answer.raise_for_status()
            found = b""
            async for piece in answer.aiter_bytes():
                found += piece
                if len(found) > STAMP_BYTES_AT_MOST:
                    raise NotSigned(f"at most {STAMP_BYTES_AT_MOST:,} bytes", "more")
            return found


def check(reply: bytes, content: bytes, root: Path | None, nonce: int | None = None) -> str:
    """The instant of a reply over a content, RFC 3339 in UTC; raises `NotSigned`. Without a root only that it is over
    this content.
    """
    try:
        from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415
        from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response  # noqa: PLC0415
    except ImportError:
        raise UnusableKey(_EXTRA) from None
    try:
        answer = decode_timestamp_response(reply)
        stamped = answer.tst_info
        over = stamped.message_imprint.message
    except ValueError:
        raise NotSigned("a time stamp", "something else") from None
    if over != _digest(content):
        raise NotSigned(f"a time stamp over {_digest(content).hex()}", f"one over {over.hex()[:64]}")
    if root is not None:
        try:
            verifier: Any = VerifierBuilder(nonce=nonce, roots=load_pem_x509_certificates(root.read_bytes())).build()
            verifier.verify_message(answer, content)
        except OSError as error:
            raise UnusableKey(f"{root}: {error.strerror}") from error
        except VerificationError as error:
            raise NotSigned("a time stamp of the authority whose root is given", str(error)[:200]) from None
        except ValueError:
            raise UnusableKey(f"{root}: must have certificates in PEM") from None
    return stamped.gen_time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
