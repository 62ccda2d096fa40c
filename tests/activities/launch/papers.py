"""The files of the tests: a small directory, a catalogue, a document, and a request that is right in every field."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr
from ruamel.yaml import YAML

from activities.files.pdf import LocalDocuments
from activities.files.reading import FileFaults, FileText
from activities.launch.doors import CheckContext
from activities.launch.request_file import PreparedRequest, prepare_request
from activities.people.file_directory import FileDirectory
from activities.people.ids import id_of_address
from activities.policies.catalogue import Catalogue
from activities.records.store import Store

NOW: Final = datetime(2026, 11, 2, 9, tzinfo=UTC)
PDF: Final = b"%PDF-1.7\n% a document\n"

PEOPLE: Final = """\
people:
  - {id: chair, name: Chair, email: chair@example.com, zone: Europe/Amsterdam}
  - id: chief-executive
    name: Chief executive
    email: chief@example.com
    zone: Europe/Amsterdam
    calendar: NL
    locale: nl
    manager: chair
    delegate: legal-desk
    absent: [{from: 2026-12-24, until: 2027-01-02}]
    groups: [all-staff, directors]
    devices: [{token: chief-executive~1, platform: android}, {token: chief-executive~2, platform: ios}]
  - {id: legal-desk, name: Legal desk, email: legal@example.com, zone: Europe/Amsterdam, groups: [all-staff]}
  - id: customer-signer
    name: Customer signer
    email: customer@example.org
    zone: America/New_York
    manager: customer-director
  - {id: customer-director, name: Customer director, email: director@example.org, zone: America/New_York}
"""

CATALOGUE: Final = """\
kinds:
  base: {window: 30d}
  customer-contract: {extends: base, window: 90d}
"""

REQUEST: Final[Mapping[str, Any]] = {
    "id": "msa-0042",
    "kind": "customer-contract",
    "document": {"file": "msa.pdf", "name": "Master services agreement"},
    "requester": "legal-desk",
    "signers": [{"person": "customer-signer"}, {"person": "chief-executive", "order": 2}],
    "due": "2026-12-11",
}


SECRET: Final = SecretStr("0123456789abcdef0123456789abcdef")


def in_full(email: str) -> str:
    """The id of whoever stands in full in a file with this address."""
    return id_of_address(email, SECRET)


class Desk:
    """A folder with everything that a request needs, and the objects that read it."""

    def __init__(self, folder: Path, people: str = PEOPLE) -> None:
        self.folder = folder
        (folder / "msa.pdf").write_bytes(PDF)
        (folder / "people.yaml").write_text(people, "utf-8")
        (folder / "catalogue.yaml").write_text(CATALOGUE, "utf-8")
        self.store = Store(str(folder / "store"))
        self.directory = FileDirectory(folder / "people.yaml", self.store, SECRET)
        self.catalogue = Catalogue.read(folder / "catalogue.yaml")

    async def prepare(
        self, request: Mapping[str, Any] | str = REQUEST, *, of_parent: bool = False, **changes: Any
    ) -> PreparedRequest:
        """Write a request file, in YAML with a line per field, and check it."""
        path = self.folder / "request.yaml"
        if isinstance(request, str):
            path.write_text(request, "utf-8")
        else:
            with path.open("w", encoding="utf-8") as stream:
                YAML().dump(make_request(request, **changes), stream)
        return await prepare_request(
            FileText.read(path),
            CheckContext(self.catalogue, self.directory, NOW, LocalDocuments(1), is_part_of_parent=of_parent),
        )


def make_request(request: Mapping[str, Any] = REQUEST, **changes: Any) -> dict[str, Any]:
    """A copy of a request with some fields changed; None takes a field away."""
    changed = deepcopy({**request, **changes})
    return {name: value for name, value in changed.items() if value is not None}


async def faults(desk: Desk, request: Mapping[str, Any] | str = REQUEST, **changes: Any) -> list[str]:
    """All that is wrong with a request, line by line."""
    with pytest.raises(FileFaults) as caught:
        await desk.prepare(request, **changes)
    return str(caught.value).replace(f"{desk.folder}/", "").split("\n")
