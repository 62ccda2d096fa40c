"""Fetches the provider's files by their temporary links: pre-signed, without our token, streamed into the store."""

import asyncio
import hmac
from typing import Final

import httpx

from activities.core_signature.wire import WireFile
from activities.documents.files import SIGNED, Files
from activities.http.client import failure_of_error
from activities.http.transport import Guard, RefusedAddress
from activities.records.evidence import SignedFile

MEGABYTE: Final = 1_000_000
_PIECE: Final = 1 << 16
"""Bytes of a file in memory at a time."""
_LINK_NAME: Final = "the link of Core Signature"


class FileRefused(Exception):
    """A file cannot be kept as it came; the text has no link, which is a secret. It may be another time."""


class DocumentDownloads:
    """`guard` has the hosts of links, `limit` is the largest file in bytes."""

    def __init__(self, client: httpx.AsyncClient, guard: Guard, files: Files, limit: int) -> None:
        self._client = client
        self._guard = guard
        self._files = files
        self._limit = limit

    async def fetch(self, file: WireFile, seconds: float) -> SignedFile:
        """The file in the store, unaltered, whose length and hash are as announced; raises `FileRefused`."""
        if file.pdf is None or file.security_hash is None:
            raise FileRefused("is not ready at Core Signature")
        try:
            async with asyncio.timeout(seconds):
                return await self._download(file.pdf, file.security_hash)
        except TimeoutError:
            raise FileRefused(f"did not come within {seconds:.0f} s") from None
        except httpx.HTTPError as error:
            raise FileRefused(f"broke off: {failure_of_error(_LINK_NAME, error).explanation}") from None
        except RefusedAddress as refusal:
            raise FileRefused(f"has a link that must not be called: {refusal}") from None
        except OSError:
            raise FileRefused("has a link whose host has no address") from None

    async def _download(self, link: str, expected_sha256: str) -> SignedFile:
        destination = await self._guard.check(link)
        async with (
            self._client.stream(
                "GET",
                destination.url,
                headers={"host": destination.host_header, "accept": "application/pdf, */*", "connection": "close"},
                extensions={"sni_hostname": destination.host},
            ) as answer,
            self._files.receiving() as incoming,
        ):
            self._check_head(answer)
            async for piece in answer.aiter_raw(_PIECE):
                await incoming.write(piece)
                if incoming.size > self._limit:
                    raise FileRefused(self._too_large())
            if incoming.size == 0:
                raise FileRefused("is empty")
            if not hmac.compare_digest(incoming.sha256, expected_sha256):
                raise FileRefused(f"has {incoming.size:,} bytes, but not the SHA-256 that Core Signature says")
            await incoming.keep(SIGNED)
            return SignedFile(incoming.sha256, incoming.size)

    def _check_head(self, answer: httpx.Response) -> None:
        if not answer.is_success:
            raise FileRefused(f"was refused to us: HTTP {answer.status_code}")
        announced = answer.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limit:
            raise FileRefused(self._too_large())

    def _too_large(self) -> str:
        limit_mb = self._limit // MEGABYTE
        return f"has more than {limit_mb} MB: COUNTERSIGN_SIGNATURE_MAX_DOWNLOAD_MB sets the bound"
