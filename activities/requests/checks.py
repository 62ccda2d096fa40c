"""What a request file is checked against beside what every file is: its document."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activities.requests.documents import LocalDocuments
from activities.starting.checks import ConcernedPersons, FileChecks, maps


@dataclass
class RequestChecks(FileChecks):
    """The knowledge behind the fields of one request file, and what was seen of it so far: its document."""

    folder: Path
    documents: LocalDocuments
    pdf: bytes | None = None

    @property
    def concerned(self) -> ConcernedPersons:
        """The requester, and the signers of the directory."""
        signers = self.right.get("signers", ())
        return ConcernedPersons(self.right.get("requester"), frozenset(one.person for one in signers if one.person))

    def document(self, file: str) -> None:
        """Read the document that is named, keeping its bytes."""
        self.pdf = self.documents.read(self.folder, file)


def persons_named(plain: Any) -> frozenset[str]:
    """Everybody a request file names by id, before anything was validated."""
    if not isinstance(plain, dict):
        return frozenset()
    named = [plain.get("requester"), *(signer.get("person") for signer in maps(plain, "signers"))]
    return frozenset(id for id in named if isinstance(id, str))
