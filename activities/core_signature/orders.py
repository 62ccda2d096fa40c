"""Request bodies for documents and signature requests (docs/core-signature.md). Pure."""

import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, Final

from activities.core_signature.client import CoreSignatureConfig, NameStyle
from activities.people.person import Person
from workflows.model.signature import SignatureBrief
from workflows.model.subject import Participant, Role, Verify

LANGUAGES: Final = frozenset(
    {"en", "en-gb", "nl", "fr", "de", "he", "da", "fi", "hu", "it", "no", "pl", "pt", "es", "sv", "ru", "ja"}
)
_SAME_LANGUAGE: Final = {"nb": "no", "nn": "no", "iw": "he"}
_LONGEST_SUBJECT: Final = 255
_TICKS: Final = ("true", "false")
NO_PASSWORDS: Final[Mapping[str, str]] = {}


def document_body(brief: SignatureBrief, config: CoreSignatureConfig) -> dict[str, Any]:
    """From uploaded bytes or a template. It never expires by itself: we keep the due date, which may be moved."""
    body: dict[str, Any] = {"name": brief.title, "external_id": brief.id}
    if brief.prefill:
        body["prefill_tags"] = [_tag(id, value) for id, value in json.loads(brief.prefill).items()]
    if brief.document.sha256 is None:
        body |= {"template": brief.document.template}
    else:
        body |= {"file_from_content_name": _pdf_name(brief.document.file_name)}
    return body | ({"events_callback_url": config.callback_url} if config.callback_url else {})


def request_body(
    document_url: str,
    brief: SignatureBrief,
    people: Mapping[str, Person],
    reachable: Collection[str],
    config: CoreSignatureConfig,
    *,
    requester: Person | None = None,
    passwords: Mapping[str, str] = NO_PASSWORDS,
) -> dict[str, Any]:
    """`reachable` people are notified by us on a device, `passwords` are of signers who are verified by one. Core
    Signature's reminders are off; its mails about endings are a setting.
    """
    body: dict[str, Any] = {
        "document": document_url,
        "who": "o",
        "subject": brief.title[:_LONGEST_SUBJECT],
        "message": brief.message or "",
        "send_reminders": False,
        "signers": [
            _signer(signer, people[signer.person], brief, signer.person in reachable, config)
            | _verification(signer, people[signer.person], passwords)
            for signer in brief.people
        ],
    }
    if not config.status_mails:
        body["disable_emails"] = True
    return body | _sender(requester, people, config)


def embed_user(request: str, person: str) -> str:
    """The user of a signing page, without personal data; the same on every attempt."""
    return hashlib.sha256(f"{request}/{person}".encode()).hexdigest()[:24]


def _tag(id: str, value: str) -> dict[str, Any]:
    """A tag is a box, a day or a text."""
    if value in _TICKS:
        return {"external_id": id, "checkbox_value": value == "true"}
    return {"external_id": id, "date_value" if _is_day(value) else "text": value}


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _sender(requester: Person | None, people: Mapping[str, Person], config: CoreSignatureConfig) -> dict[str, str]:
    """Never a signer: signers are told apart by their addresses."""
    signing = {person.email.casefold() for person in people.values()}
    requester_address = requester.email if requester and config.from_requester else None
    address = (
        requester_address if requester_address and requester_address.casefold() not in signing else config.from_email
    )
    named = {"from_email_name": requester.name} if requester else {}
    return named | ({"from_email": address} if address else {})


def _signer(
    signer: Participant, person: Person, brief: SignatureBrief, reachable: bool, config: CoreSignatureConfig
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "email": person.email,
        **_name(person.name, config.name_style),
        "order": signer.order,
        "needs_to_sign": signer.role is not Role.COPY,
    }
    if signer.role is Role.APPROVE:
        body["approve_only"] = True
    if language := _language(person.locale):
        body["language"] = language
    # The provider's first mail is withheld only from a signer with an `embed_url`, so it is requested only for signers
    # whom our own notification reaches.
    if reachable and signer.role is not Role.COPY:
        body["embed_url_user_id"] = embed_user(brief.id, signer.person)
        if config.signed_page:
            body |= {"redirect_url": config.signed_page, "redirect_url_declined": config.signed_page}
    return body


def _verification(signer: Participant, person: Person, passwords: Mapping[str, str]) -> dict[str, str]:
    """How Core Signature verifies the signer before it shows the document."""
    match signer.verify:
        case Verify.PHONE:
            return {"verify_phone_number": "+" + "".join(filter(str.isdigit, person.phone or ""))}
        case Verify.PASSWORD:
            return {"password": passwords[signer.person]}
        case None:
            return {}


def _pdf_name(file_name: str) -> str:
    """With the extension by which Core Signature detects the format; the content was checked to be a PDF."""
    return file_name if file_name.casefold().endswith(".pdf") else f"{file_name}.pdf"


def _name(name: str, style: NameStyle) -> dict[str, str]:
    if style is NameStyle.FULL_NAME:
        return {"full_name": name}
    first, _, last = name.rpartition(" ")
    return {"first_name": first, "last_name": last}


def _language(locale: str | None) -> str | None:
    tag = (locale or "").replace("_", "-").casefold()
    base = tag.partition("-")[0]
    return next((candidate for candidate in (tag, base, _SAME_LANGUAGE.get(base)) if candidate in LANGUAGES), None)
