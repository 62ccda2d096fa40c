"""The link in a notice: our own page, addressed by a sealed reference that shows nothing of what it stands for."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from pydantic import SecretStr

from activities.sealing import BadSeal, Seal
from activities.store.home import Home
from workflows.kinds import Kind, Named, referred

_CONTEXT: Final = b"countersign/link/v1"
_SEPARATOR: Final = "\n"
"""Ids never contain it (docs/files.md, Values)."""
FIRST_SERIAL: Final = "0"
"""What links have that were never made anew."""


class LinkUse(StrEnum):
    """What the page behind the link is for."""

    SIGN = "sign"
    DO = "do"
    VIEW = "view"
    PREVIEW = "preview"
    """To see what somebody sees, for a short time, without doing anything."""


USES: Final = {Kind.REQUEST: LinkUse.SIGN, Kind.TASK: LinkUse.DO, Kind.ONBOARDING: LinkUse.VIEW}
"""What their own page is for, for somebody who is asked, or whose onboarding it is."""


@dataclass(frozen=True)
class LinkClaim:
    """What a genuine link says: this person may do this with what outside systems know as `request`.

    It is good for as long as its `serial` is the person's present one, and only until then if it says until when.
    """

    request: str
    person: str
    use: LinkUse
    serial: str = FIRST_SERIAL
    until: datetime | None = None

    @property
    def workflow_id(self) -> str:
        """Its workflow id, beside which people are kept who stand in full."""
        return referred(self.request).workflow_id


def serial_of(workflow_id: str, person: str) -> str:
    """Where the store has what somebody's links to it must have in them."""
    return f"{Home.of(workflow_id).on('links')}/{person}"


class BadLink(ValueError):
    """The reference was not made by us, or not with this secret; the text says nothing of its content."""


class Links:
    """Makes and opens signing links below `base` (the public `LINK_BASE`); `secret` has at least 32 bytes."""

    def __init__(self, base: str, secret: SecretStr) -> None:
        self._base = base.rstrip("/")
        self._seal = Seal(secret, _CONTEXT)

    def link(
        self, request: str, person: str, use: LinkUse, serial: str = FIRST_SERIAL, until: datetime | None = None
    ) -> str:
        """The address of our page for this person: `LINK_BASE/open/<ref>`, byte-equal each time; a task has its own."""
        page, more = referred(request).kind.names.page, []
        if until or serial != FIRST_SERIAL:
            more = [serial, str(int(until.timestamp())) if until else ""]
        return f"{self._base}/{page}/{self._seal.seal(_SEPARATOR.join((use, request, person, *more)))}"

    def desk(self, reference: str) -> str:
        """The address of its page at the desk, where whoever comes says first who they are."""
        return f"{self._base}/desk/{at_desk(referred(reference))}"

    def open(self, ref: str) -> LinkClaim:
        """What `ref` stands for; raises `BadLink` unless it was sealed with our secret and is unchanged."""
        try:
            use, request, person, *more = self._seal.open(ref).split(_SEPARATOR)
            serial, until = more or (FIRST_SERIAL, "")
            ends = datetime.fromtimestamp(int(until), UTC) if until else None
            return LinkClaim(request, person, LinkUse(use), serial, ends)
        except (BadSeal, ValueError):
            raise BadLink("not a link of ours") from None


def at_desk(what: Named) -> str:
    """Where the page of a request or a task is, below `/desk`."""
    return f"{what.kind.names.desk}/{what.id}"


def named_at_desk(path: str) -> Named | None:
    """What has its page there below `/desk`, or something of its page; None for any other page."""
    place, _, rest = path.partition("/")
    return next((Named(kind, rest.partition("/")[0]) for kind in Kind if kind.names.desk == place), None)
