"""docs/files.md is true: its examples load and have every key, its tables have every key with its default."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import BaseModel, TypeAdapter

from activities.files.fields import DayOrInstant, Email, Id, KindId, LocaleTag, Name, Span, Url, Zone
from activities.files.reading import FileText
from activities.files.yaml_lines import parse
from activities.launch.doors import CheckContext
from activities.launch.request_file import DocumentEntry, RequestFile, ReviewerEntry, SignerEntry, prepare_request
from activities.launch.task_file import AnswerEntry, AssigneeEntry, TaskFile, prepare_task
from activities.people.file_directory import FileDirectory
from activities.people.person import Absence, PeopleFile, Person, PushDevice
from activities.policies.catalogue import Catalogue, CatalogueKind
from activities.policies.policy_file import (
    ArchiveEntry,
    EscalationLayer,
    OperationEntry,
    OverdueLayer,
    QuestionLayer,
    ReminderLayer,
    ReviewLayer,
    StartEntry,
    TargetEntry,
    TellRequesterLayer,
    Trigger,
)
from activities.records.store import Store
from tests.activities.launch.papers import NOW, PDF
from tests.markdown import ROOT, Row, blocks, table
from workflows.model.policy import Overdue

PAGE: Final = (ROOT / "docs" / "files.md").read_text()
BLOCKS: Final = blocks(PAGE)
EXAMPLES: Final = [block.text for block in BLOCKS if block.language == "yaml" and not block.mark]


def first(key: str) -> str:
    """The page's first example of the file that has this key."""
    return next(example for example in EXAMPLES if key in parse(example).value)


PEOPLE: Final = first("people")
KINDS: Final = first("kinds")
REQUEST: Final = first("signers")
TASK: Final = first("who")


@dataclass(frozen=True)
class Table:
    """A table of keys and the model it describes."""

    heading: str
    model: type[BaseModel]
    defaults: Callable[[], Mapping[str, Any]] | None = None
    """Where the defaults are, when not in the model itself."""
    also: str | None = None
    """A second table with keys of this model."""

    @property
    def rows(self) -> list[Row]:
        return table(PAGE, self.heading) + (table(PAGE, self.also) if self.also else [])

    @property
    def keys(self) -> list[str]:
        return [field.alias or name for name, field in self.model.model_fields.items()]

    def default(self, key: str) -> Any:
        if self.defaults is not None:
            return self.defaults().get(key)
        field = next(field for name, field in self.model.model_fields.items() if key in (name, field.alias))
        return ... if field.is_required() else TypeAdapter(Any).dump_python(field.get_default(), mode="json")


def policy() -> Mapping[str, Any]:
    """The policy of a kind that says nothing."""
    resolved = Catalogue({"bare": CatalogueKind()}).resolve("bare").policy
    return resolved.model_dump(mode="json", by_alias=True)


TABLES: Final = (
    Table("A person", Person),
    Table("An absence", Absence),
    Table("A device", PushDevice),
    Table("A kind", CatalogueKind, policy),
    Table("Reminders", ReminderLayer, lambda: policy()["reminders"]),
    Table("Overdue", OverdueLayer, Overdue().model_dump),
    Table("A question", QuestionLayer, lambda: policy()["question"]),
    Table("A review", ReviewLayer, lambda: policy()["review"]),
    Table("Escalation", EscalationLayer, lambda: policy()["escalation"]),
    Table("The requester", TellRequesterLayer, lambda: policy()["tell_requester"]),
    Table("A hand-off target", TargetEntry),
    Table("An archive", ArchiveEntry),
    Table("What a target starts", StartEntry),
    Table("An operation that is called", OperationEntry),
    Table("A request", RequestFile),
    Table("A document", DocumentEntry),
    Table("A signer", SignerEntry, also="A person in full"),
    Table("A reviewer", ReviewerEntry),
    Table("A task", TaskFile),
    Table("An answer", AnswerEntry),
    Table("Who is asked", AssigneeEntry, also="A person in full"),
)


def read_default(cell: str) -> Any:
    """What a table says is the default of a key."""
    values_by_word = {"required": ..., "none": None}
    return values_by_word[cell] if cell in values_by_word else parse(cell.strip("`")).value


class Context:
    """A folder with the people and the catalogue of the page, beside which its files are tried."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "msa.pdf").write_bytes(PDF)
        (folder / "kick-off.yaml").write_text('customer: {company: "{company}"}')
        (folder / "people.yaml").write_text(PEOPLE)
        (folder / "catalogue.yaml").write_text(KINDS)

    async def load(self, text: str, name: str = "tried.yaml") -> None:
        """Load a file as what it is by its keys; raises `FileFaults`."""
        path = self._folder / name
        path.write_text(text)
        keys = parse(text).value.keys()
        if "people" in keys:
            PeopleFile.read(path)
        elif "kinds" in keys:
            Catalogue.read(path)
        else:
            await self._prepare(path)

    async def _prepare(self, path: Path) -> None:
        directory = FileDirectory(self._folder / "people.yaml", Store(str(self._folder / "store")))
        catalogue = Catalogue.read(self._folder / "catalogue.yaml")
        written = FileText.read(path)
        if "who" in written.parse().plain:
            await prepare_task(written, CheckContext(catalogue, directory, NOW))
        else:
            await prepare_request(written, CheckContext(catalogue, directory, NOW))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(tmp_path)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.partition(":")[0])
async def test_every_example_loads(context: Context, example: str) -> None:
    await context.load(example)


@pytest.mark.parametrize("file_table", TABLES, ids=lambda file_table: file_table.heading)
def test_every_key_is_in_its_table(file_table: Table) -> None:
    key_names = [row["Key"].strip("`") for row in file_table.rows]
    assert sorted(key_names) == sorted(file_table.keys)


@pytest.mark.parametrize("file_table", TABLES, ids=lambda file_table: file_table.heading)
def test_every_key_is_in_an_example(file_table: Table) -> None:
    keys = [row["Key"].strip("`") for row in file_table.rows]
    assert [key for key in keys if not any(re.search(rf"\b{key}:", example) for example in EXAMPLES)] == []


@pytest.mark.parametrize("file_table", TABLES, ids=lambda file_table: file_table.heading)
def test_every_default_is_the_one_of_the_code(file_table: Table) -> None:
    defaults_by_key = {row["Key"].strip("`"): read_default(row["Default"]) for row in file_table.rows}
    assert defaults_by_key == {key: file_table.default(key) for key in defaults_by_key}


@pytest.mark.parametrize(
    ("value", "kind_of_value"),
    [
        ("id", Id),
        ("name", Name),
        ("address", Email),
        ("URL", Url),
        ("duration", Span),
        ("share", Trigger),
        ("date", DayOrInstant),
        ("instant", DayOrInstant),
        ("zone", Zone),
        ("language", LocaleTag),
    ],
)
def test_every_value_is_written_as_shown(value: str, kind_of_value: Any) -> None:
    [row] = [row for row in table(PAGE, "Values") if row["Value"] == value]
    for example_text in row["Written as"].split("`")[1::2]:
        TypeAdapter(kind_of_value).validate_python(example_text)


@pytest.mark.parametrize(
    ("kind_of_value", "longest"), [(Id, 100), (KindId, 87), (Name, 200)], ids=["id", "kind", "name"]
)
def test_texts_may_be_as_long_as_the_page_says(kind_of_value: Any, longest: int) -> None:
    adapter = TypeAdapter(kind_of_value)
    adapter.validate_python("a" * longest)
    with pytest.raises(ValueError, match=str(longest)):
        adapter.validate_python("a" * (longest + 1))
    assert str(longest) in "".join(row["Limits"] for row in table(PAGE, "Values"))


def test_the_layers_merge_as_told(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.yaml"
    path.write_text(
        """
kinds:
  base: {window: 30d, reminders: {first: 3d, every: 3d, most: 4}, warnings: [2d, 1d]}
  lease: {extends: base, reminders: {every: 1w}, warnings: [1w], escalation: null}
"""
    )
    resolved = Catalogue.read(path).resolve("lease").policy
    assert resolved.reminders is not None
    assert (resolved.window, resolved.warnings, resolved.escalation) == ("30d", ("1w",), None)
    assert (resolved.reminders.first, resolved.reminders.every, resolved.reminders.most) == ("3d", "1w", 4)
