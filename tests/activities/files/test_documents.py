"""Where the documents of requests are found, and what they cost together."""

from pathlib import Path

import pytest

from activities.files import pdf as documents
from activities.files.pdf import MEGABYTE, LocalDocuments
from tests.activities.launch.papers import PDF


@pytest.fixture
def office(tmp_path: Path) -> Path:
    """A working folder with a document in one place and request files in another."""
    for name in ("papers", "requests", "elsewhere"):
        (tmp_path / "office" / name).mkdir(parents=True)
    (tmp_path / "office" / "papers" / "nda.pdf").write_bytes(PDF)
    (tmp_path / "secret.pdf").write_bytes(PDF)
    return tmp_path / "office"


@pytest.mark.parametrize("file", ["papers/nda.pdf", "../papers/nda.pdf"])
def test_a_document_may_lie_anywhere_below_the_working_folder(office: Path, file: str) -> None:
    assert LocalDocuments(1, fallback_folder=office).read(office / "requests", file) == PDF


@pytest.mark.parametrize("file", ["../../secret.pdf", "papers/../../secret.pdf"])
def test_no_document_lies_above_it(office: Path, file: str) -> None:
    with pytest.raises(ValueError, match="leads out of the folder of this file"):
        LocalDocuments(1, fallback_folder=office).read(office / "requests", file)


def test_a_link_leads_nowhere_else(office: Path) -> None:
    (office / "papers" / "link.pdf").symlink_to(office.parent / "secret.pdf")
    with pytest.raises(ValueError, match="leads out of the folder of this file"):
        LocalDocuments(1, fallback_folder=office).read(office / "requests", "papers/link.pdf")


def test_without_a_working_folder_it_lies_beside_its_file(office: Path) -> None:
    with pytest.raises(ValueError, match="leads out of the folder of this file"):
        LocalDocuments(1).read(office / "requests", "../papers/nda.pdf")


def test_a_document_as_large_as_may_be_is_sent_and_one_byte_more_is_refused(office: Path) -> None:
    content = PDF + b"x" * (MEGABYTE - len(PDF))
    (office / "a.pdf").write_bytes(content)
    assert LocalDocuments(1).read(office, "a.pdf") == content
    (office / "a.pdf").write_bytes(content + b"x")
    with pytest.raises(ValueError, match="at most 1 MB can be sent"):
        LocalDocuments(1).read(office, "a.pdf")


def test_documents_as_large_together_as_may_be_are_sent(office: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MEGABYTES_AT_ONCE", 1)
    halves = {name: PDF + b"x" * (MEGABYTE // 2 - len(PDF)) for name in ("a.pdf", "b.pdf")}
    local_documents = LocalDocuments(1)
    for name, content in halves.items():
        (office / name).write_bytes(content)
        assert local_documents.read(office, name) == content


def test_all_documents_of_one_start_are_bounded_and_each_is_read_once(
    office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MEGABYTES_AT_ONCE", 1)
    large = PDF + b"x" * (MEGABYTE // 2)
    for name in ("a.pdf", "b.pdf"):
        (office / name).write_bytes(large)
    local_documents = LocalDocuments(1)
    for _ in range(10):
        assert local_documents.read(office, "a.pdf") == large
    with pytest.raises(ValueError, match="its documents may be 1 MB together"):
        local_documents.read(office, "b.pdf")


@pytest.mark.parametrize(
    "trailer",
    [
        b"trailer\n<< /Root 1 0 R /Encrypt 5 0 R >>",
        b"<< /Type /XRef /Encrypt\n12 0 R /W [1 2 1] >>",
        b"<</Encrypt<</V 4",
    ],
)
def test_a_pdf_with_a_password_is_refused(office: Path, trailer: bytes) -> None:
    (office / "papers" / "locked.pdf").write_bytes(PDF + trailer)
    with pytest.raises(ValueError, match="is protected by a password"):
        LocalDocuments(1).read(office / "papers", "locked.pdf")
    (office / "papers" / "open.pdf").write_bytes(PDF + b"(how to /Encrypt a file)")
    assert LocalDocuments(1).read(office / "papers", "open.pdf")
