"""A form is only taken from a page of ours: its token, and where the browser says that it was sent from, must fit."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

_CONTEXT: Final = b"countersign/form/v1\n"
_FROM_HERE: Final = ("same-origin", "none")
_HIDDEN: Final = "null"
"""What a browser calls the origin of a page whose referrer policy is `no-referrer`."""
_NONCE_BYTES: Final = 12
_OP_CHARACTERS: Final = 22


class FormGuard:
    """Makes and checks the hidden token of the forms behind one link; `base` is the public `LINK_BASE`."""

    def __init__(self, secret: SecretStr, base: str) -> None:
        self._key = hmac.digest(secret.get_secret_value().encode(), _CONTEXT, hashlib.sha256)
        self._origin = "://".join(urlsplit(base)[:2]).lower()

    def token(self, ref: str) -> str:
        """What the forms of this link carry: another one each time their page is shown."""
        nonce = secrets.token_urlsafe(_NONCE_BYTES)
        return f"{nonce}.{self._digest(ref, nonce)}"

    def accepts(self, ref: str, token: str, headers: Mapping[str, str]) -> bool:
        """Whether a posted form is our own."""
        nonce, _, digest = token.partition(".")
        if not hmac.compare_digest(self._digest(ref, nonce).encode(), digest.encode("utf-8", "replace")):
            return False
        if headers.get("sec-fetch-site", "none") not in _FROM_HERE:
            return False
        return headers.get("origin", _HIDDEN).lower() in (_HIDDEN, self._origin)

    def op(self, ref: str, form: Mapping[str, str]) -> str:
        """The name of this one change: the same however often a form is posted, and nothing can be read from it."""
        return f"page-{self._digest(ref, json.dumps(form, sort_keys=True))[:_OP_CHARACTERS]}"

    def _digest(self, ref: str, text: str) -> str:
        digest = hmac.digest(self._key, f"{ref}\n{text}".encode("utf-8", "replace"), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
