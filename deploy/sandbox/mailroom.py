"""Mails of Core Signature and messages of cloud messaging; not sent, but shown in the inbox."""

from deploy.sandbox.state.ledger import EntryType
from deploy.sandbox.state.memory import Memory
from deploy.sandbox.state.records import CoreDocument, CoreRequest, CoreSigner, SandboxMail
from deploy.sandbox.state.settings import Clock

ENDINGS = {
    "signed": "Everyone has signed. The completed document is ready.",
    "declined": "A signer declined. The document cannot be signed any more.",
    "cancelled": "The request was cancelled by the sender.",
    "expired": "The request expired before everyone had signed.",
}


class Mailroom:
    """Mails by the local part of the address: `ada@x.test` is in the inbox of `ada`."""

    def __init__(self, memory: Memory, clock: Clock) -> None:
        self._memory = memory
        self._clock = clock

    def invite(self, signer: CoreSigner, request: CoreRequest, document: CoreDocument, *, kind: str = "sign") -> None:
        """`kind` is sign or resend."""
        deed = "approve" if signer.approve_only else "sign"
        subject = request.subject or f"Please {deed} {document.name}"
        path = f"/sign/{signer.uuid}?from=mail"
        self._post(document, to=signer.email, kind=kind, subject=subject, text=request.message, path=path)

    def tell_ending(self, ending: str, request: CoreRequest, document: CoreDocument) -> None:
        subject, text = f"{document.name}: {ending}", ENDINGS[ending]
        for signer in request.signers:
            if signer.forwarded_on is None:
                self._post(document, to=signer.email, kind=ending, subject=subject, text=text)

    def deliver(self, address: str, *, kind: str, subject: str, text: str) -> None:
        """Of another service; a phone number's inbox is its digits."""
        mail = SandboxMail(
            at=self._clock(),
            to=address,
            person=address.partition("@")[0].lower(),
            kind=kind,
            subject=subject,
            text=text,
            path=next((word for word in text.split() if word.startswith(("https://", "http://"))), None),
        )
        self._memory.mails.save(mail)

    def _post(
        self, document: CoreDocument, *, to: str, kind: str, subject: str, text: str, path: str | None = None
    ) -> None:
        mail = SandboxMail(
            at=self._clock(),
            to=to,
            person=to.partition("@")[0].lower(),
            kind=kind,
            subject=subject,
            text=text,
            path=path,
            external_id=document.external_id,
        )
        self._memory.mails.save(mail)
        told = mail.model_dump(include={"to", "kind", "subject", "external_id"})
        self._memory.ledger.write(EntryType.MAIL, **told)
