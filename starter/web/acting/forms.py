"""Refused forms: the reason in the reader's words, with the entered text kept; form tokens. Pure."""

import hmac
import json
import secrets
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

import structlog
from starlette.requests import Request

from activities.keys import KeyRing, Purpose, encoded
from activities.people.language import Language, phrase
from starter.errors import Refusal
from starter.queries.commands import CommandRefused, NotAdmitted, NotConfirmed
from starter.temporal.connection import TemporalRefusal
from starter.web.acting.messages import message_text
from starter.web.http.bodies import read_form
from workflows.model.commands import AnyCommand
from workflows.model.messages import Message
from workflows.model.receipts import Receipt

_UNSURE: Final = phrase("We could not confirm this yet. Send it again: it is done only once.")
_NOT_ADMITTED: Final = phrase("This was not done: Temporal did not take it. Please try again in a minute.")
_LOGGER: Final = structlog.get_logger("countersign.pages")
Result = TypeVar("Result")
_FROM_HERE: Final = ("same-origin", "none")
_HIDDEN: Final = "null"
"""`Origin` of a page whose referrer policy is `no-referrer`."""
_NONCE_BYTES: Final = 12
_OP_CHARACTERS: Final = 22


class FormFault(Enum):
    """Why a form is not read."""

    CUT_OFF = "cut off"
    FOREIGN = "foreign"


class Send(Protocol):
    """Sends a command to a follow-up, once for each `op`; raises as `carry_out` does."""

    def __call__(self, reference: str, command: AnyCommand, op: str, /, *, watched: bool = True) -> Awaitable[Receipt]:
        """The receipt; without `watched` as soon as it was taken."""
        ...


class FailureReason(Enum):
    REFUSED = "refused"
    UNSURE = "unsure"
    """Unknown whether it was done; sending it again is safe."""
    NOT_ADMITTED = "not admitted"
    ENDED = "ended"
    """The follow-up has ended."""


@dataclass(frozen=True)
class FormFailure:
    """A form that was not carried out; a refusal has its reason."""

    fault: FailureReason
    why: Message | None = None

    @property
    def status(self) -> int:
        """The HTTP status."""
        return 409 if self.fault is FailureReason.REFUSED else 503

    def phrase_in(self, language: Language) -> str:
        """The message on the form's page."""
        if self.fault is FailureReason.REFUSED:
            return language.say("This was not done: {why}.", why=refusal_text(language, self.why))
        return language.say(_UNSURE if self.fault is FailureReason.UNSURE else _NOT_ADMITTED)


async def send_form(sending: Awaitable[Result], reference: str) -> Result | FormFailure:
    """The result of sending a form about this follow-up."""
    try:
        return await sending
    except CommandRefused as refused:
        return FormFailure(FailureReason.REFUSED, refused.message)
    except NotConfirmed as unsure:
        _LOGGER.warning("form not confirmed", about=reference, op=unsure.op)
        return FormFailure(FailureReason.UNSURE)
    except (NotAdmitted, TemporalRefusal) as refused:
        _LOGGER.warning("form not carried out", about=reference, why=str(refused))
        return FormFailure(FailureReason.NOT_ADMITTED)
    except Refusal:  # it does not run, or has no record to hand off
        return FormFailure(FailureReason.ENDED)


def refusal_text(language: Language, refusal: Message | None) -> str:
    """A rejection in words for its reader; empty without one, in English if it comes from newer code."""
    return message_text(language, refusal) if refusal else ""


class FormGuard:
    """Tokens of forms behind a link; `base` is `LINK_BASE`."""

    def __init__(self, key_ring: KeyRing, base: str) -> None:
        self._seal = key_ring.seal(Purpose.FORM)
        self._origin = "://".join(urlsplit(base)[:2]).lower()

    def token(self, ref: str) -> str:
        """A new one each time."""
        nonce = secrets.token_urlsafe(_NONCE_BYTES)
        return f"{nonce}.{self._digests(ref, nonce)[0]}"

    def accepts(self, ref: str, token: str, headers: Mapping[str, str]) -> bool:
        """Whether a form is ours (CSRF)."""
        return any(self._matches(ref, token)) and self.is_from_here(headers)

    def is_from_here(self, headers: Mapping[str, str]) -> bool:
        """Whether the browser says that a page of ours calls."""
        if headers.get("sec-fetch-site", "none") not in _FROM_HERE:
            return False
        return headers.get("origin", _HIDDEN).lower() in (_HIDDEN, self._origin)

    async def posted(self, ref: str, request: Request) -> dict[str, str] | FormFault:
        """The form posted from the page of this link."""
        form = await read_form(request)
        if form is None:
            return FormFault.CUT_OFF
        return form if self.accepts(ref, form.get("token", ""), request.headers) else FormFault.FOREIGN

    def op(self, ref: str, form: Mapping[str, str]) -> str:
        """The command's `op`, by the secret of its token: equal for repeated posts, and not reversible."""
        matches, digests = (
            self._matches(ref, form.get("token", "")),
            self._digests(ref, json.dumps(form, sort_keys=True)),
        )
        return f"page-{digests[matches.index(True) if True in matches else 0][:_OP_CHARACTERS]}"

    def _matches(self, ref: str, token: str) -> list[bool]:
        """For each secret, whether the token is of it."""
        nonce, _, digest = token.partition(".")
        digest_bytes = digest.encode("utf-8", "replace")
        return [hmac.compare_digest(own.encode(), digest_bytes) for own in self._digests(ref, nonce)]

    def _digests(self, ref: str, text: str) -> list[str]:
        return list(map(encoded, self._seal.digests(f"{ref}\n{text}".encode("utf-8", "replace"))))
