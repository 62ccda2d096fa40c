"""What a request file is checked against beside what every file is: the document, and who signs already."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from activities.calendars.working_time import clock_hours
from activities.files.fields import zones
from activities.person import USUAL_HOURS
from activities.requests.documents import Documents
from activities.starting.checks import Checks, Concerned, Found


@dataclass
class RequestChecks(Checks):
    """The knowledge behind the fields of one request file, and what was seen of it so far: its document and who
    signs."""

    folder: Path
    documents: Documents
    pdf: bytes | None = None
    signing: set[str] = field(default_factory=set)

    @property
    def concerned(self) -> Concerned:
        """The requester, and the signers of the directory."""
        signers = self.right.get("signers", ())
        return Concerned(self.right.get("requester"), frozenset(one.person for one in signers if one.person))

    def signs_once(self, identity: str, says: str) -> None:
        """Refuse a second signer of the same id or address: Core Signature could not tell them apart."""
        if identity in self.signing:
            raise ValueError(says)
        self.signing.add(identity)

    def document(self, file: str) -> None:
        """Read the document that is named, keeping its bytes."""
        self.pdf = self.documents.read(self.folder, file)


def persons_named(plain: Any) -> frozenset[str]:
    """Everybody a request file names by id, before anything was validated."""
    if not isinstance(plain, dict):
        return frozenset()
    named = [plain.get("requester"), *(signer.get("person") for signer in _maps(plain, "signers"))]
    return frozenset(id for id in named if isinstance(id, str))


def closing_times(plain: Any, found: Found) -> tuple[tuple[ZoneInfo, time], ...]:
    """When the signers' working days end, as far as they are known before anything was validated."""
    ends = []
    for signer in _maps(plain, "signers"):
        person, zone = found.persons.get(str(signer.get("person"))), signer.get("zone")
        if person is not None:
            ends.append((person.tz, person.working_hours[1]))
        elif isinstance(zone, str) and zone in zones():
            ends.append((ZoneInfo(zone), clock_hours(USUAL_HOURS)[1]))
    return tuple(ends)


def _maps(plain: Any, field: str) -> Iterator[dict[str, Any]]:
    items = plain.get(field) if isinstance(plain, dict) else None
    return (item for item in items if isinstance(item, dict)) if isinstance(items, list) else iter(())
