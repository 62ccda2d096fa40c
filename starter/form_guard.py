"""A form is only taken from a page of ours: its token, and where the browser says that it was sent from, must fit."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

_CONTEXT: Final = b"countersign/form/v1\n"
_FROM_HERE: Final = ("same-origin", "none")
_HIDDEN: Final = "null"
"""What a browser calls the origin of a page whose referrer policy is `no-referrer`."""


class FormGuard:
    """Makes and checks the hidden token of the form behind one link; `base` is the public `LINK_BASE`."""

    def __init__(self, secret: SecretStr, base: str) -> None:
        self._key = hmac.digest(secret.get_secret_value().encode(), _CONTEXT, hashlib.sha256)
        self._origin = "://".join(urlsplit(base)[:2]).lower()

    def token(self, ref: str) -> str:
        """What the form of this link carries."""
        return base64.urlsafe_b64encode(hmac.digest(self._key, ref.encode(), hashlib.sha256)).decode().rstrip("=")

    def accepts(self, ref: str, token: str, headers: Mapping[str, str]) -> bool:
        """Whether a posted form is our own."""
        if not hmac.compare_digest(self.token(ref).encode(), token.encode("utf-8", "replace")):
            return False
        if headers.get("sec-fetch-site", "none") not in _FROM_HERE:
            return False
        return headers.get("origin", _HIDDEN).lower() in (_HIDDEN, self._origin)
