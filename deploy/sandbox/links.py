"""Pre-signed, short-lived addresses of files."""

import hmac
import secrets
from base64 import urlsafe_b64encode
from urllib.parse import quote

from deploy.sandbox.settings import Clock


class DownloadLinks:
    """Makes and checks the `/dl/…` paths; each one works without a bearer until its life is over."""

    def __init__(self, secret: str, lifetime: float, clock: Clock) -> None:
        self._secret = secret.encode()
        self._lifetime = lifetime
        self._clock = clock

    def issue(self, content: str, file_name: str) -> str:
        """A new path to the content of that SHA-256."""
        # Microseconds, since whole seconds would shorten the life of a link, and a nonce, since each read renews it.
        claim = f"{content}.{int((self._clock() + self._lifetime) * 1_000_000)}.{secrets.token_hex(4)}"
        return f"/dl/{claim}.{self._seal(claim)}/{quote(file_name, safe='')}"

    def content(self, token: str) -> str | None:
        """The SHA-256 a genuine and living token stands for, else None."""
        claim, _, seal = token.rpartition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(claim).encode()):
            return None
        content, deadline, _ = claim.split(".")
        return content if int(deadline) > self._clock() * 1_000_000 else None

    def _seal(self, claim: str) -> str:
        return urlsafe_b64encode(hmac.digest(self._secret, b"link " + claim.encode(), "sha256")).decode().rstrip("=")
