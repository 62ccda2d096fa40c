"""Links in notices to our pages: encrypted references that reveal neither request nor person."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from activities.keys import BadSeal, KeyRing, Purpose
from workflows.kinds import Kind, WorkflowName, kinds, referred
from workflows.model.subject import Identity

_SEPARATOR: Final = "\n"
"""Never in ids (docs/files.md, Values)."""
FIRST_SERIAL: Final = "0"
"""The serial of links that were never renewed."""
LINK_DAYS_AT_MOST: Final = 90
"""Days after its notice until a link ends, if its request has not ended before."""
_MARK_BYTES: Final = 8
_SERIAL_BYTES: Final = 16
SIGNED: Final = "signed"
"""In place of a reference: where Core Signature sends the browser of somebody who has acted."""


class LinkUse(StrEnum):
    SIGN = "sign"
    TAKE = "take"
    """Of a member of a group, who signs by taking its place."""
    DO = "do"
    REVIEW = "review"
    """Of a reviewer, and of the requester who is to give a new version."""
    VIEW = "view"
    PREVIEW = "preview"
    """Shows another person's page for a short time, without actions."""
    HANDED = "handed"
    """Leads a signer to Core Signature once, on a device that may be another's."""


@dataclass(frozen=True)
class Through:
    """The onboarding whose page issued the link, by its reference, and its id for the person."""

    onboarding: str
    person: str


@dataclass(frozen=True)
class LinkContent:
    """`person` may use `request` (the id for outside systems) while `serial` is current, until its expiry, if any. A
    link from an onboarding's page has that page's serial, expiry and day.
    """

    request: str
    person: str
    use: LinkUse
    noticed_on: date
    """The day of its notice, in UTC."""
    order: int = 0
    """The signer's place in the order of signing; 0 if they have none."""
    mark: str = ""
    """A keyed hash of the signer's address, by which they are found at Core Signature without our database."""
    serial: str = FIRST_SERIAL
    until: datetime | None = None
    through: Through | None = None
    identity: Identity | None = None
    """What its page asks of a signer; None where whoever made it did not know."""

    def is_over(self, now: datetime) -> bool:
        return now.astimezone(UTC).date() > self.noticed_on + timedelta(days=LINK_DAYS_AT_MOST)

    @property
    def workflow_id(self) -> str:
        """The workflow id, under which people described in full are stored."""
        return referred(self.request).workflow_id

    @property
    def is_own(self) -> bool:
        """Whether its holder is taken for the person also in what its page is not for."""
        return self.use not in (LinkUse.PREVIEW, LinkUse.HANDED)

    @property
    def serial_at(self) -> str | None:
        """Store key of the serial to compare with; None for a link that is never renewed."""
        if self.through:
            return serial_of(referred(self.through.onboarding).workflow_id, self.through.person)
        if referred(self.request).kind.spec.renews_links and self.use is not LinkUse.PREVIEW:
            return serial_of(self.workflow_id, self.person)
        return None


def use_of(kind: Kind) -> LinkUse:
    """What the page of somebody who is asked is for, or of whom an onboarding is for."""
    return LinkUse(kind.spec.link)


def serial_of(workflow_id: str, person: str) -> str:
    """Store key of the current serial of a person's links."""
    return f"links/{workflow_id}/{person}"


def signed_page(base: str) -> str:
    """Below `base` (`LINK_BASE`): where a browser comes from Core Signature, whoever has signed in it."""
    return f"{base.rstrip('/')}/{Kind.REQUEST.spec.page}/{SIGNED}"


def build_relative_link(link: str) -> str:
    """The link relative to another page of ours, so that a proxy may add a path prefix."""
    return "/".join(("..", *link.split("/")[-2:]))


class BadLink(ValueError):
    """The reference was not sealed with our secret; the message has nothing of its content."""


class SigningLinks:
    """Builds and opens links below `base` (`LINK_BASE`)."""

    def __init__(self, base: str, key_ring: KeyRing) -> None:
        self._base = base.rstrip("/")
        self._seal = key_ring.seal(Purpose.LINK)
        self.key: Final = next(iter(key_ring.ids), "")
        """The id of the secret that writes them."""

    def link(
        self,
        request: str,
        person: str,
        use: LinkUse,
        serial: str = FIRST_SERIAL,
        *,
        noticed_on: date | None = None,
        order: int = 0,
        email: str = "",
        expires_at: datetime | None = None,
        through: Through | None = None,
        identity: Identity | None = None,
    ) -> str:
        """The person's page: `LINK_BASE/open/<ref>`, byte-equal each time on one day; a task has its own path. A signer
        has `order` and `email`; without `noticed_on` it is of today, without `identity` its page looks that up.
        """
        page, day = referred(request).kind.spec.page, noticed_on or datetime.now(UTC).date()
        mark = _mark(self._seal.digest(_marked(email))) if email else ""
        content = [use, request, person, day.isoformat(), str(order), mark, serial]
        content += [str(int(expires_at.timestamp())) if expires_at else "", identity or ""]
        content += [through.onboarding, through.person] if through else []
        return f"{self._base}/{page}/{self._seal.seal(_SEPARATOR.join(content))}"

    def is_marked(self, claim: LinkContent, email: str) -> bool:
        """Whether the link was written for this address, whatever its case."""
        return claim.mark in map(_mark, self._seal.digests(_marked(email)))

    def handed_link(self, request: str, person: str, serial: str, handed_on: date) -> str:
        """A link that is handed over, byte-equal each time; its `serial` is that of `handed_serial`."""
        return self.link(request, person, LinkUse.HANDED, serial, noticed_on=handed_on)

    def handed_serial(self, request: str, person: str, sender: str, op: str) -> str:
        """Under which the database knows a link that is handed over: the same for one command, however often it is
        sent. It opens nothing without the link.
        """
        return hashlib.sha256(f"handed {request}\n{person}\n{sender}\n{op}".encode()).digest()[:_SERIAL_BYTES].hex()

    def desk(self, reference: str | None = None) -> str:
        """The address of a desk page, or of the desk; requires a sign-in."""
        return f"{self._base}/desk/{at_desk(referred(reference))}" if reference else f"{self._base}/desk"

    def own_requests_page(self) -> str:
        """The list of own requests at the desk."""
        return f"{self._base}/desk/asked"

    def open(self, ref: str) -> LinkContent:
        """The content of `ref`; raises `BadLink` unless sealed with our secret and unchanged."""
        try:
            use, request, person, day, order, mark, serial, expiry, identity, *through = self._seal.open(ref).split(
                _SEPARATOR
            )
            ends = datetime.fromtimestamp(int(expiry), UTC) if expiry else None
            origin = Through(*through) if through else None
            signer = (date.fromisoformat(day), int(order), mark)
            asks = Identity(identity) if identity else None
            return LinkContent(request, person, LinkUse(use), *signer, serial, ends, origin, asks)
        except (BadSeal, TypeError, ValueError):
            raise BadLink("not a link of ours") from None


def at_desk(workflow_name: WorkflowName) -> str:
    """The path of a request's or task's page below `/desk`."""
    return f"{workflow_name.kind.spec.desk}/{workflow_name.id}"


def named_at_desk(path: str) -> WorkflowName | None:
    """The request or task whose desk page has this path, None for other pages."""
    section, _, subpath = path.partition("/")
    return next((WorkflowName(kind, subpath.partition("/")[0]) for kind in kinds() if kind.spec.desk == section), None)


def _marked(email: str) -> bytes:
    return f"address {email.strip().casefold()}".encode()


def _mark(digest: bytes) -> str:
    return digest[:_MARK_BYTES].hex()
