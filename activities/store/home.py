"""Where the things of one workflow live in the store."""

import hashlib
from dataclasses import dataclass

from workflows.kinds import Kind


@dataclass(frozen=True)
class StoragePrefix:
    """The place of one workflow: `<shelf>/<kind>/<owner>/<id>`, the same on every shelf (`records`, `claims`, …).

    `owner` is the onboarding or campaign it belongs to, so that one folder lists all of it: what stands before the
    first dot of its id, for neither of them has a dot in its own. What belongs to nobody is spread over 256 folders by
    its id. Two kinds of one id never meet.
    """

    kind: str
    owner: str
    id: str

    @classmethod
    def of_request(cls, id: str) -> "StoragePrefix":
        """The place of a signature request."""
        return cls.of(Kind.REQUEST.workflow_id(id))

    @classmethod
    def of(cls, workflow_id: str) -> "StoragePrefix":
        """The place of the workflow with this id, `<kind>:<id>`."""
        kind, _, id = workflow_id.partition(":")
        return cls(kind, owner_in(id) or hashlib.sha256(id.encode()).hexdigest()[:2], id)

    def on(self, shelf: str) -> str:
        """Its folder on a shelf, for what there are several of."""
        return f"{shelf}/{self.kind}/{self.owner}/{self.id}"

    def beside(self, name: str) -> str:
        """Where something of this name is that can be erased, beside the people whom it concerns."""
        return f"{self.on('people')}/{name}"

    def file(self, shelf: str) -> str:
        """Its one file on a shelf."""
        return f"{self.on(shelf)}.json"


def owner_in(id: str) -> str | None:
    """The onboarding or campaign that an id names, None when it names none."""
    owner, dot, rest = id.partition(".")
    return owner if owner and dot and rest else None
