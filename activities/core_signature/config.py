"""What a tenant may answer differently is configuration (docs/core-signature.md)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from activities.http.oauth import Credentials

CALLBACKS: Final = "/callbacks/core-signature/"
"""Where a receiver of ours is called; a document whose events go to such an address was made by a Countersign."""


class Dialect(StrEnum):
    """Whose paths are called; SignRequest is the ancestor of Core Signature's interface."""

    CORE = "core"
    SIGNREQUEST = "signrequest"

    @property
    def requests(self) -> str:
        """The path of the signature requests."""
        return "/signature-requests/" if self is Dialect.CORE else "/signrequests/"


class NameStyle(StrEnum):
    """How a signer's name is sent."""

    FULL_NAME = "full_name"
    FIRST_LAST = "first_last"


@dataclass(frozen=True)
class CoreSignatureConfig:
    """Where Core Signature is and how this tenant wants to be spoken to.

    `url` is the host; `callback_url` the address each document's events go to, None when a subscription tells them;
    `list_lag` the seconds a new document may be missing from lists. Of an action path only the last part counts.
    Requests come from the requester's own address, else `from_email`, else whom the token says; under their name.
    Without `status_mails` it mails nobody of endings: we tell them.
    """

    url: str
    credentials: Credentials
    callback_url: str | None = None
    dialect: Dialect = Dialect.CORE
    from_email: str | None = None
    from_requester: bool = False
    name_style: NameStyle = NameStyle.FULL_NAME
    list_lag: float = 10.0
    page_size: int = 100
    status_mails: bool = True
    cancel_paths: tuple[str, ...] = ("cancel_signature_request", "cancel_signrequest")
    resend_paths: tuple[str, ...] = ("resend_signature_request_email", "resend_signrequest_email")
    forward_paths: tuple[str, ...] = ("forward_signer",)
