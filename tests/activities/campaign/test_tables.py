"""The table of an audience, as spreadsheets and hands write it: read as meant, or refused in words, row by row."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.campaign import population as rows
from activities.campaign.population import AudienceFile, AudienceTables
from activities.files.reading import FileFaults
from tests.workflows.campaign.stage import SECRET, Company, a_file, staff

TURNS_AT_LEAST = 100
"""Of others while 5,000 people in full are read; a loop that is held has a few."""
LINES = ("person,department", "ada,sales", "bo,plant")
PLAIN = "\r\n".join(LINES)
SEMICOLONS = PLAIN.replace(",", ";")


def read(folder: Path, content: str | bytes) -> AudienceFile:
    """A table of these bytes."""
    table = folder / "staff.csv"
    table.write_bytes(content.encode() if isinstance(content, str) else content)
    return rows.read(table, secret=SECRET)


DIALECTS = {
    "plain": PLAIN.encode(),
    "a mark of UTF-8": b"\xef\xbb\xbf" + PLAIN.encode(),
    "line ends of Unix": PLAIN.replace("\r", "").encode(),
    "semicolons": SEMICOLONS.encode(),
    "tabs": PLAIN.replace(",", "\t").encode(),
    "semicolons that are told": b"sep=;\r\n" + SEMICOLONS.encode(),
    "UTF-16 with its mark": PLAIN.encode("utf-16"),
    "UTF-16 without one": PLAIN.encode("utf-16-le"),
    "UTF-16 the other way": SEMICOLONS.encode("utf-16-be"),
    "quotes": b'"person","department"\r\n"ada","sales"\r\n"bo","plant"\r\n',
    "empty columns behind": PLAIN.replace("\r\n", ",,\r\n").encode() + b",,",
}


@pytest.mark.parametrize("content", DIALECTS.values(), ids=DIALECTS)
def test_every_dialect_says_the_same(tmp_path: Path, content: bytes) -> None:
    audience_file = read(tmp_path, content)
    assert [(row.person, row.department, row.says) for row in audience_file.rows] == [
        ("ada", "sales", ""),
        ("bo", "plant", ""),
    ]


def test_a_million_blank_lines_are_nobody(tmp_path: Path) -> None:
    blank = "\n" * 500_000
    audience_file = read(tmp_path, f"person\nada\n{blank}bo\n{blank}")
    assert [(row.number, row.person) for row in audience_file.rows] == [(2, "ada"), (500_003, "bo")]


MISSPELT = {
    "persn": r"has a column persn, did you mean person\?",
    "e-mial": r"has a column e-mial, did you mean email\?",
    "E-Mail,email,name,zone": r"has two columns for email",
    "since,until": r"needs a column person, or the columns name, email, zone",
    "person,person": r"needs a name for each column, each once",
}


@pytest.mark.parametrize(("header", "message"), MISSPELT.items(), ids=MISSPELT)
def test_a_heading_that_is_misspelt_is_told_with_what_was_meant(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(FileFaults, match=message):
        read(tmp_path, header + "\n" + ",".join("x" for _ in header.split(",")))


@pytest.mark.parametrize("header", ["Name,E-Mail,Zone", "FULL NAME,e-mail address,Time zone", "Naam,Mail,tijdzone"])
def test_heads_are_known_in_any_case_and_in_usual_spellings(tmp_path: Path, header: str) -> None:
    [row] = read(tmp_path, f"{header}\nBo,bo@us.example,UTC\n").rows
    assert row.person.startswith("p-") and not row.says


def test_a_cell_of_five_megabytes_is_one_wrong_row(tmp_path: Path) -> None:
    audience_file = read(tmp_path, f"name,email,zone\n{'x' * 5_000_000},a@us.example,UTC\nBo,bo@us.example,UTC\n")
    assert [(row.number, row.fault and str(row.fault)) for row in audience_file.rows] == [
        (2, "name: is longer than 10,000 characters"),
        (3, None),
    ]


HIDDEN = {
    "turned": "A\u202eda",
    "NUL": "A\0da",
    "a bell": "A\ada",
    "an escape": "A\x1b[31mda",
}
NAMES = {
    "combining marks": ("Zoe\u0308", "Zoë"),
    "joined emoji": ("Ada 👩\u200d🚀", "Ada 👩\u200d🚀"),
    "markup": ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    "a formula": ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
}


@pytest.mark.parametrize("name", HIDDEN.values(), ids=HIDDEN)
def test_a_name_with_what_nobody_sees_is_refused_and_never_repeated(tmp_path: Path, name: str) -> None:
    """G7: by the name of the field and of the character, in a line of plain text."""
    [row] = read(tmp_path, f'name,email,zone\n"{name}",a@us.example,UTC\n').rows
    assert str(row.fault).startswith("name: ")
    assert str(row.fault).isprintable()
    assert "da" not in str(row.fault).split()


@pytest.mark.parametrize(("name", "stored_name"), NAMES.values(), ids=NAMES)
def test_any_other_name_is_somebodys(tmp_path: Path, name: str, stored_name: str) -> None:
    audience_file = read(tmp_path, f'name,email,zone\n"{name}",a@us.example,UTC\n')
    assert [person.name for person in audience_file.people.values()] == [stored_name]


def test_a_department_that_is_no_name_is_a_wrong_row_also_of_somebody_by_their_id(tmp_path: Path) -> None:
    """It would stand in the frozen audience and in the outcomes for good."""
    wrong, right = read(tmp_path, f"person,department\nada,{'x' * 2_000}\nbo,plant\n").rows
    assert (wrong.person, wrong.department, right.department) == ("ada", "", "plant")
    assert str(wrong.fault) == "department: is 2,000 characters long, at most 200 are allowed"


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: ("person,name\n" + text).encode(errors="replace"))
)
def test_whatever_stands_in_a_table_is_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    try:
        audience_file = read(tmp_path_factory.mktemp("any"), content)
    except FileFaults as faults:
        assert str(faults)
    else:
        assert all(row.says or row.person for row in audience_file.rows)


async def test_others_are_answered_while_a_large_table_is_read(tmp_path: Path) -> None:
    people = "".join(f"P {number},p{number}@example.com,Europe/Berlin\n" for number in range(5_000))
    table = f"name,email,zone\n{people}".encode()
    company = Company(tmp_path, staff("p0"))
    reading = asyncio.ensure_future(company.prepared(a_file(audience={"file": "staff.csv"}), table=table))
    turns = 0
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1
    assert len((await reading).rows.rows) == 5_000
    assert turns >= TURNS_AT_LEAST


async def test_of_ten_tables_the_last_one_is_remembered_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    tables, contents = AudienceTables(), [f"{PLAIN}\r\nnumber-{number},plant".encode() for number in range(10)]

    async def read_table(content: bytes) -> AudienceFile:
        return await tables.read(Path("staff.csv"), secret=SECRET, content=content)

    first, *_, last = [await read_table(content) for content in contents]
    assert await read_table(contents[-1]) is last
    assert await read_table(contents[0]) is not first
    monkeypatch.setattr(rows, "TABLE_REMEMBERED_SECONDS", 0)
    remembered = await read_table(contents[0])
    for _ in range(2):
        await asyncio.sleep(0)
    assert await read_table(contents[0]) is not remembered


async def test_a_table_that_is_none_is_not_remembered() -> None:
    tables = AudienceTables()
    for _ in range(2):
        with pytest.raises(FileFaults, match="needs a column person"):
            await tables.read(Path("staff.csv"), secret=SECRET, content=b"who\r\nada\r\n")
