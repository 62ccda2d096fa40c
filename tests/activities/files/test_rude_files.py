"""Whatever stands in a file, the answer is either a value or faults in words: never another exception."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from activities.files.pdf import LocalDocuments
from activities.files.reading import FileFaults, FileText
from activities.launch.intake import KnownPersons, closing_times, maps
from activities.launch.request_file import RequestChecks, RequestFile, persons_named
from activities.people.person import PeopleFile, PeopleFileContext
from activities.policies.catalogue import Catalogue, CatalogueFile, WrittenKinds
from tests.activities.launch.papers import CATALOGUE, NOW, PDF, PEOPLE, REQUEST
from workflows.model.file_faults import FileFault

PEOPLE_PLAIN: Any = YAML(typ="safe").load(
    PEOPLE.replace("2026-12-24", "'2026-12-24'").replace("2027-01-02", "'2027-01-02'")
)
CATALOGUE_PLAIN: Any = YAML(typ="safe").load(CATALOGUE)
PERSONS = {person.id: person for person in PeopleFile.model_validate(PEOPLE_PLAIN).people}

sample_texts = st.sampled_from(
    ["nobody", "chair", "base", "1d", "60%", "null", "2026-12-11", "https://x.example", "a\nb", "\u202e", ""]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | sample_texts | st.text(max_size=20)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(sample_texts | st.text(max_size=5), inner, max_size=3),
)


def paths(value: Any) -> list[tuple[Any, ...]]:
    """The place of every value inside a plain value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((step, *path) for step, item in inner for path in paths(item))]


def replace_at(value: Any, path: tuple[Any, ...], replacement: Any) -> Any:
    """The plain value with another one at one place."""
    if not path:
        return replacement
    copy = value.copy()
    copy[path[0]] = replace_at(value[path[0]], path[1:], replacement)
    return copy


def check(written: str, folder: Path) -> None:
    for line in refusals(FileText("rude.json", folder, written)):
        assert line.startswith("rude.json:")


def refusals(text: FileText) -> list[str]:
    file = text.parse()
    found_here = KnownPersons(
        PERSONS, {id: FileFault.FITS_NOBODY.to_message() for id in persons_named(file.plain) if id not in PERSONS}
    )
    checks = RequestChecks(
        folder=text.folder,
        documents=LocalDocuments(1),
        catalogue=Catalogue(CatalogueFile.model_validate(CATALOGUE_PLAIN).kinds),
        persons=found_here,
        closing=closing_times(maps(file.plain, "signers"), found_here),
        now=NOW - timedelta(days=1),
    )
    messages = []
    for model, context in (
        (PeopleFile, PeopleFileContext.from_plain(file.plain)),
        (CatalogueFile, WrittenKinds.from_plain(file.plain)),
        (RequestFile, checks),
    ):
        try:
            file.validate(model, context)
        except FileFaults as faults:
            messages += str(faults).split("\n")
    return messages


@pytest.mark.parametrize("plain", [PEOPLE_PLAIN, CATALOGUE_PLAIN, REQUEST], ids=["people", "catalogue", "request"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), replacement=anything)
def test_one_place_of_a_good_file_becomes_anything(
    tmp_path: Path, plain: Any, data: st.DataObject, replacement: Any
) -> None:
    (tmp_path / "msa.pdf").write_bytes(PDF)
    path = data.draw(st.sampled_from(paths(plain)))
    check(json.dumps(replace_at(plain, path, replacement)), tmp_path)
