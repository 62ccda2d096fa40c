"""A document that its file gives no name is called by the title of its PDF."""

from pathlib import Path

import pytest

from activities.files.pdf import _INFORMATION_AT_MOST, name_of

EXAMPLES = Path(__file__).parents[3] / "deploy" / "examples"


def pdf(title: bytes, trailer: bytes = b"") -> bytes:
    return (
        b"%PDF-1.7\n3 0 obj\n<< /Title (Chapter one) >>\nendobj\n7 0 obj\n<< /Title "
        + title
        + (b" /Producer (x) >>\nendobj\ntrailer\n<< /Size 8 /Info 7 0 R >>\n" + trailer)
    )


@pytest.mark.parametrize(
    ("title", "name"),
    [
        (b"(Lease of the old office)", "Lease of the old office"),
        (rb"(Lease \(old\) \101 \\ B)", "Lease (old) A \\ B"),
        (b"(\xfe\xff\x00L\x00e\x00a\x00s\x00e\x20\x1e)", "Lease\u201e"),
        (b"<FEFF004C00650061007300 65>", "Lease"),
        (b"(\xef\xbb\xbfMi\xc3\xa9te)", "Miéte"),
        (b"(Mi\xe9te)", "Miéte"),
        (b"(Lease\x00\x07\nof)", "Lease of"),
        (b"(" + b"x" * 500 + b")", "x" * 200),
    ],
)
def test_the_title_of_the_pdf_is_the_name(title: bytes, name: str) -> None:
    assert name_of("papers/msa.pdf", pdf(title)) == name


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"%PDF-1.7",
        pdf(b"()"),
        pdf(b"( )"),
        pdf(b"(Microsoft Word - lease v2.docx)"),
        pdf(b"(Untitled)"),
        pdf(b"(open"),
    ],
)
def test_without_a_title_the_name_is_that_of_the_file(content: bytes | None) -> None:
    assert name_of("papers/msa.pdf", content) == "msa"


def test_the_last_information_counts() -> None:
    newer = b"7 0 obj\n<< /Title (Second) >>\nendobj\ntrailer\n<< /Info 7 0 R >>\n"
    assert name_of("msa.pdf", pdf(b"(First)", newer)) == "Second"


def test_the_examples_have_titles() -> None:
    names = [name_of(file.name, file.read_bytes()) for file in sorted(EXAMPLES.glob("*.pdf"))]
    assert names == ["Code of conduct", "Data processing agreement", "Master services agreement"]


def test_a_title_far_behind_in_the_information_is_not_looked_for() -> None:
    behind = pdf(b"(Lease)").replace(b"/Title (Lease)", b" " * 10 * _INFORMATION_AT_MOST + b"/Title (Lease)")
    assert name_of("msa.pdf", behind) == "msa"
