"""The link in a notice: our own page, addressed by a sealed reference that shows nothing of what it stands for."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import SecretStr

from activities.sealing import BadSeal, Seal
from workflows.kinds import Kind, Named, referred

_CONTEXT: Final = b"countersign/link/v1"
_SEPARATOR: Final = "\n"
"""Ids never contain it (docs/files.md, Values)."""


class LinkUse(StrEnum):
    """What the page behind the link is for."""

    SIGN = "sign"
    DO = "do"
    VIEW = "view"


@dataclass(frozen=True)
class LinkClaim:
    """What a genuine link says: this person may do this with what outside systems know as `request`."""

    request: str
    person: str
    use: LinkUse

    @property
    def workflow_id(self) -> str:
        """Its workflow id, beside which people are kept who stand in full."""
        return referred(self.request).workflow_id


class BadLink(ValueError):
    """The reference was not made by us, or not with this secret; the text says nothing of its content."""


class Links:
    """Makes and opens signing links below `base` (the public `LINK_BASE`); `secret` has at least 32 bytes."""

    def __init__(self, base: str, secret: SecretStr) -> None:
        self._base = base.rstrip("/")
        self._seal = Seal(secret, _CONTEXT)

    def link(self, request: str, person: str, use: LinkUse) -> str:
        """The address of our page for this person: `LINK_BASE/open/<ref>`, byte-equal each time; a task has its own."""
        page = referred(request).kind.names.page
        return f"{self._base}/{page}/{self._seal.seal(_SEPARATOR.join((use, request, person)))}"

    def desk(self, reference: str) -> str:
        """The address of its page at the desk, where whoever comes says first who they are."""
        return f"{self._base}/desk/{at_desk(referred(reference))}"

    def open(self, ref: str) -> LinkClaim:
        """What `ref` stands for; raises `BadLink` unless it was sealed with our secret and is unchanged."""
        try:
            use, request, person = self._seal.open(ref).split(_SEPARATOR)
            return LinkClaim(request, person, LinkUse(use))
        except (BadSeal, ValueError):
            raise BadLink("not a link of ours") from None


def at_desk(what: Named) -> str:
    """Where the page of a request or a task is, below `/desk`."""
    return f"{what.kind.names.desk}/{what.id}"


def named_at_desk(path: str) -> Named | None:
    """What has its page there below `/desk`, or something of its page; None for any other page."""
    place, _, rest = path.partition("/")
    return next((Named(kind, rest.partition("/")[0]) for kind in Kind if kind.names.desk == place), None)
