"""HTTP of the tests with what they serve themselves, which is never https."""

import ssl
from typing import Any, Final

import httpx

_NO_AUTHORITIES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""httpx would read all public authorities for each client, which takes longer than most of what a test asks."""


def plain_client(base_url: str = "", **options: Any) -> httpx.AsyncClient:
    """A client that no proxy of the environment stands before; of no https address it believes the certificate."""
    return httpx.AsyncClient(base_url=base_url, verify=_NO_AUTHORITIES, trust_env=False, **options)
