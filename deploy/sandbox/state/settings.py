"""The sandbox's settings, by argument in tests, by environment for its process."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

PREFIX = "SANDBOX_"
TRUE_WORDS = frozenset({"1", "true", "yes", "on"})

Clock = Callable[[], float]


@dataclass(frozen=True)
class SandboxSettings:
    """Durations are seconds; `clock` gives epoch seconds. Environment names are the field names in capitals behind
    `SANDBOX_`, for example `SANDBOX_LIST_LAG=5`.
    """

    tenant: str = "acme"
    client_id: str = "countersign"
    client_secret: str = "sandbox-signature-secret"  # noqa: S105  a stand-in has no real secrets
    push_client_id: str = "countersign-push"
    push_client_secret: str = "sandbox-push-secret"  # noqa: S105
    push_project: str = "countersign"
    push_app: str = "countersign"
    push_app_key: str = "sandbox-app-key"
    mra_user: str = "countersign"
    mra_password: str = "sandbox-messaging-password"  # noqa: S105
    oidc_client_id: str = "countersign"
    oidc_client_secret: str = "sandbox-oidc-secret"  # noqa: S105
    sender_email: str = "legal-desk@supplier.test"
    token_lifetime: float = 900.0
    callback_secret: str = "YOUR_TOKEN_HERE"  # noqa: S105
    token_name: str = "countersign"  # noqa: S105
    retry_unit: float = 60.0
    callback_timeout: float = 5.0
    conversion_delay: float = 0.3
    list_lag: float = 0.0
    link_lifetime: float = 300.0
    max_upload_mb: int = 50
    absolute_urls: bool = True
    alternate_urls: bool = False
    embedded_key: Literal["signrequest", "signature_request"] = "signrequest"
    action_names: Literal["signature_request", "signrequest", "short"] = "signature_request"
    """`short`: `cancel`, `resend` and `forward` alone."""
    signer_names: Literal["full_name", "first_last"] = "full_name"
    """What a signer's name is in; the other one is ignored."""
    mails_apart: float = 0.0
    """Mails of one document that are sent again sooner after one another are dropped without a word."""
    returns_embed_user: bool = True
    """Whether signers are listed with the `embed_url_user_id` that was asked for."""
    embed_urls: bool = True
    """Whether a signer gets the `embed_url` that was asked for, and no first mail."""
    status_words: Literal["code", "word"] = "code"
    """A document's status as a code of two letters, or as the word that its event has."""
    signing_log: bool = True
    callback_hash: bool = True
    download_host: str = ""
    """Host in the links of downloads, if another one than that of the API."""
    event_document: Literal["object", "address", "text"] = "object"
    """How an event names its document: with its facts, or by its URL, in an object or as a text."""
    notices: int = 0
    """How many an hour Countersign sends to one person, for the page of their phone; 0 for no limit."""
    ignores_filters: bool = False
    """Lists ignore filters, like a tenant with other filter names."""
    data: Path | None = None
    clock: Clock = time.time

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, **overrides: object) -> "SandboxSettings":
        """Read `SANDBOX_*`; `overrides` win. `ValueError` names an unknown or malformed variable."""
        kinds = {field.name: field.type for field in fields(cls) if field.name != "clock"}
        read: dict[str, object] = {}
        for variable, text in environment.items():
            if not variable.startswith(PREFIX):
                continue
            name = variable.removeprefix(PREFIX).lower()
            if name not in kinds:
                raise ValueError(f"{variable}: no such setting of the sandbox")
            read[name] = _parse(variable, kinds[name], text)
        return cls(**{**read, **overrides})  # type: ignore[arg-type]  # each value was parsed by its field's type


def _parse(variable: str, kind: object, text: str) -> object:
    if kind is bool:
        return text.lower() in TRUE_WORDS
    if kind is float or kind is int:
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"{variable}: not a number") from None
    choices = getattr(kind, "__args__", ())
    if choices and all(isinstance(choice, str) for choice in choices) and text not in choices:
        raise ValueError(f"{variable}: one of {', '.join(choices)} is expected")
    return Path(text) if kind == (Path | None) else text
