"""The vendor's JSON of documents, requests, signers and events, with a few fields unknown to clients; URLs as the
settings say.
"""

import hmac
import secrets
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import quote, urlsplit

from deploy.sandbox.state.database import Database
from deploy.sandbox.state.records import (
    UNFINISHED,
    CoreDocument,
    CoreEvent,
    CoreRequest,
    CoreSigner,
    CoreStatus,
    Webhook,
    iso,
)
from deploy.sandbox.state.settings import Clock, SandboxSettings

Json = dict[str, Any]
PLAIN_SIGNER_FIELDS = (
    "order",
    "needs_to_sign",
    "approve_only",
    "notify_only",
    "in_person",
    "language",
    "redirect_url",
    "redirect_url_declined",
    "emailed",
    "email_viewed",
    "viewed",
    "message",
    "forwarded_to_email",
    "forwarded_reason",
)
PLAIN_REQUEST_FIELDS = (
    "who",
    "subject",
    "message",
    "from_email",
    "from_email_name",
    "send_reminders",
    "disable_emails",
    "is_being_prepared",
    "redirect_url",
    "redirect_url_declined",
)


def event_hash(secret: str, event_time: str, event_type: str) -> str:
    """HMAC-SHA256 over time and type, without a separator, in lower-case hex: all that a callback signs."""
    return hmac.digest(secret.encode(), (event_time + event_type).encode(), "sha256").hex()


class FileLinks:
    """Temporary `/dl/…` paths, which work without a bearer."""

    def __init__(self, secret: str, lifetime: float, clock: Clock) -> None:
        self._secret = secret.encode()
        self._lifetime = lifetime
        self._clock = clock

    def issue(self, content: str, file_name: str) -> str:
        # Microseconds, since whole seconds would shorten a link's life, and a nonce, since each read renews it.
        claim = f"{content}.{int((self._clock() + self._lifetime) * 1_000_000)}.{secrets.token_hex(4)}"
        return f"/dl/{claim}.{self._seal(claim)}/{quote(file_name, safe='')}"

    def content(self, token: str) -> str | None:
        """The SHA-256 behind a genuine, unexpired token, else None."""
        claim, _, seal = token.rpartition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(claim).encode()):
            return None
        content, deadline, _ = claim.split(".")
        return content if int(deadline) > self._clock() * 1_000_000 else None

    def _seal(self, claim: str) -> str:
        return urlsafe_b64encode(hmac.digest(self._secret, b"link " + claim.encode(), "sha256")).decode().rstrip("=")


class Views:
    """Every read renews its temporary download links."""

    def __init__(self, settings: SandboxSettings, database: Database, links: FileLinks) -> None:
        self.base_url = "http://127.0.0.1"
        self._settings = settings
        self._database = database
        self._links = links
        self._absolute = settings.absolute_urls

    def url(self, path: str) -> str:
        return self.base_url + path if self._absolute else path

    def document(self, document: CoreDocument) -> Json:
        self._absolute ^= self._settings.alternate_urls
        request = self._database.request_of(document)
        return {
            "url": self.url(f"/api/v1/documents/{document.uuid}/"),
            "uuid": document.uuid,
            "team": self._team(),
            "name": document.name,
            "external_id": document.external_id,
            "template": document.template,
            "status": self._status(document),
            "created": iso(document.created),
            "modified": iso(document.modified),
            "events_callback_url": document.events_callback_url,
            "auto_delete_days": document.auto_delete_days,
            "auto_expire_days": document.auto_expire_days,
            "auto_expire_after": iso(document.expires_at),
            "link_expire_days": document.link_expire_days,
            **self._files(document),
            self._settings.embedded_key: self._embedded(request) if request else None,
            "attachments": [],
            "processing": document.status is CoreStatus.CONVERTING,
            "sandbox": True,
            "api_used": True,
            "core_region": {"code": "eu-stand-in", "shard": 7},
        }

    def request(self, request: CoreRequest) -> Json:
        self._absolute ^= self._settings.alternate_urls
        return {**self._embedded(request), "document": self.url(f"/api/v1/documents/{request.document}/")}

    def event(self, event: CoreEvent) -> Json:
        document = self._database.documents.get(event.document)
        reference = {
            "uuid": event.document,
            "external_id": event.external_id,
            "status": self._status(document) if document else None,
            "url": self.url(f"/api/v1/documents/{event.document}/"),
        }
        return {
            **self._event_core(event),
            "delivered": event.delivered,
            "delivered_on": iso(event.delivered_on),
            "callback_status_code": event.callback_status_code,
            "document": self._document_reference(reference),
            "attempt_policy": "fibonacci",
        }

    def _status(self, document: CoreDocument) -> str:
        return document.status.word if self._settings.status_words == "word" else document.status.value

    def _document_reference(self, reference: Json) -> Json | str:
        match self._settings.event_document:
            case "object":
                return reference
            case "address":
                return {"url": reference["url"]}
            case "text":
                return str(reference["url"])

    def callback(self, event: CoreEvent, document: CoreDocument) -> Json:
        """The event as it was, the document as it is now."""
        event_time = str(int(event.timestamp))
        sealed = {"event_hash": event_hash(self._settings.callback_secret, event_time, event.event_type)}
        return {
            **self._event_core(event),
            "document": self._document_reference(self.document(document)),
            "token_name": self._settings.token_name,
            "event_time": event_time,
            **(sealed if self._settings.callback_hash else {}),
            "dispatch": {"channel": "callback"},
        }

    def webhook(self, webhook: Webhook) -> Json:
        return {
            "url": self.url(f"/api/v1/webhooks/{webhook.uuid}/"),
            "uuid": webhook.uuid,
            "name": webhook.name,
            "event_type": webhook.event_type,
            "callback_url": webhook.callback_url,
            "integration": None,
            "team": self._team(),
            "created": iso(webhook.created),
        }

    def signer(self, signer: CoreSigner, request: CoreRequest) -> Json:
        """`embed_url` only if requested, and only while usable."""
        document = self._database.documents.get(request.document)
        is_embedded = self._settings.embed_urls and signer.embed_url_user_id
        usable = bool(is_embedded and signer.open and document and document.status in UNFINISHED)
        return {
            "uuid": signer.uuid,
            "email": signer.email,
            "display_name": f"{signer.full_name} ({signer.email})" if signer.full_name else signer.email,
            **self._name(signer),
            **signer.model_dump(include=set(PLAIN_SIGNER_FIELDS)),
            "embed_url_user_id": signer.embed_url_user_id if self._settings.returns_embed_user else None,
            "signed": signer.signed_on is not None,
            "signed_on": iso(signer.signed_on),
            "declined": signer.declined_on is not None,
            "declined_on": iso(signer.declined_on),
            "forwarded": signer.forwarded_on is not None,
            "forwarded_on": iso(signer.forwarded_on),
            "downloaded": False,
            "embed_url": f"{self.base_url}/sign/{signer.uuid}" if usable else None,
            "inputs": signer.inputs,
            "attachments": [],
            "integrations": [],
            "trust_level": None,
        }

    def _name(self, signer: CoreSigner) -> Json:
        if self._settings.signer_names == "full_name":
            return {"full_name": signer.full_name}
        first, _, last = signer.full_name.rpartition(" ")
        return {"first_name": first, "last_name": last}

    def _embedded(self, request: CoreRequest) -> Json:
        return {
            "uuid": request.uuid,
            "url": self.url(f"/api/v1/signature-requests/{request.uuid}/"),
            **request.model_dump(include=set(PLAIN_REQUEST_FIELDS)),
            "prepare_url": f"{self.base_url}/prepare/{request.uuid}" if request.is_being_prepared else None,
            "signers": [self.signer(signer, request) for signer in request.signers],
            "required_attachments": [],
        }

    def _files(self, document: CoreDocument) -> Json:
        ready = document.status not in {CoreStatus.CONVERTING, CoreStatus.CONVERT_ERROR}
        log = self._link(document.log, "signing-log.pdf") if self._settings.signing_log else None
        return {
            "file": self._link(document.source, document.file_name),
            "file_as_pdf": self._link(document.source, "document.pdf") if ready else None,
            "pdf": self._link(document.final, "document.pdf"),
            "security_hash": document.final,
            "signing_log": {"pdf": log, "security_hash": document.log} if log else None,
        }

    def _link(self, content: str | None, file_name: str) -> str | None:
        return self._download_base() + self._links.issue(content, file_name) if content else None

    def _download_base(self) -> str:
        if not self._settings.download_host:
            return self.base_url
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{self._settings.download_host}:{parts.port}"

    def _event_core(self, event: CoreEvent) -> Json:
        return {
            "uuid": event.uuid,
            "status": event.status,
            "event_type": event.event_type,
            "timestamp": iso(event.timestamp),
            "team": self._team(),
            "signer": self._event_signer(event),
        }

    def _event_signer(self, event: CoreEvent) -> Json | None:
        signing_case = self._database.signer(event.signer) if event.signer else None
        return self.signer(signing_case[0], signing_case[1]) if signing_case else None

    def _team(self) -> Json:
        tenant = self._settings.tenant
        return {"name": tenant, "subdomain": tenant, "url": self.url(f"/api/v1/teams/{tenant}/")}
