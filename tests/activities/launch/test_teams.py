"""A group as requester or owner, in the files that people write."""

import json
from pathlib import Path
from typing import Any

import pytest

from activities.files.reading import FileFaults, FileText
from activities.launch.doors import CheckContext
from activities.launch.intake import asked_of, asking, asking_word
from activities.launch.request_file import prepare_request
from activities.launch.task_file import prepare_task
from activities.people.file_directory import FileDirectory
from activities.policies.catalogue import Catalogue
from activities.records.store import Store
from tests.activities.launch.papers import NOW, PDF
from workflows.model.subject import Subject

PEOPLE = """people:
  - {id: eve, name: Eve, email: eve@x.test, zone: UTC, groups: [sales]}
  - {id: bob, name: Bob, email: bob@x.test, zone: UTC, groups: [sales]}
  - {id: zoe, name: Zoe, email: zoe@x.test, zone: UTC}
"""


class Desk:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "people.yaml").write_text(PEOPLE)
        (folder / "catalogue.yaml").write_text("kinds: {nda: {}}")
        (folder / "nda.pdf").write_bytes(PDF)

    async def request(self, requester: object) -> Any:
        written = {"kind": "nda", "document": {"file": "nda.pdf"}, "signers": [{"person": "zoe"}]}
        return await self._prepared(prepare_request, {**written, "requester": requester})

    async def task(self, owner: object, **fields: object) -> Any:
        return await self._prepared(prepare_task, {"kind": "team-task", "title": "Do it", **fields, "owner": owner})

    async def _prepared(self, prepare: Any, written: dict[str, Any]) -> Any:
        path = self._folder / "written.json"
        path.write_text(json.dumps(written))
        directory = FileDirectory(self._folder / "people.yaml", Store(str(self._folder / "store")))
        catalogue = Catalogue.read(self._folder / "catalogue.yaml")
        return await prepare(FileText.read(path), CheckContext(catalogue, directory, NOW))

    def write_crowd(self, member_count: int) -> None:
        entry = "  - {id: s%d, name: S, email: s%d@x.test, zone: UTC, groups: [sales]}\n"
        (self._folder / "people.yaml").write_text(PEOPLE + "".join(entry % (n, n) for n in range(member_count)))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize(
    ("written", "requester", "notify_all"),
    [
        ("eve", "eve", False),
        ({"group": "sales"}, "group:sales", False),
        ({"group": "sales", "rule": "first"}, "group:sales", False),
        ({"group": "sales", "rule": "all"}, "group:sales", True),
        ("group:sales", "group:sales", False),
        ("group:sales:all", "group:sales", True),
    ],
)
async def test_a_person_or_a_group_asks(desk: Desk, written: object, requester: str, notify_all: bool) -> None:
    brief = (await desk.request(written)).request.brief
    assert (brief.requester, brief.notify_all) == (requester, notify_all)


async def test_a_group_is_the_same_in_a_table_as_in_a_file(desk: Desk) -> None:
    written = [
        await desk.request(requester)
        for requester in ({"group": "sales"}, "group:sales", {"group": "sales", "rule": "all"})
    ]
    assert written[0].request.fingerprint == written[1].request.fingerprint != written[2].request.fingerprint


async def test_a_person_costs_no_byte_more_than_before() -> None:
    subject = Subject(id="nda-1", kind="nda", title="NDA", requester="eve", people=())
    assert set(subject.model_dump(exclude_defaults=True)) == {"id", "kind", "title", "requester", "people"}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"group": "sails"}, 'the group "sails" is not in people.yaml, did you mean sales?'),
        ({"group": "sales", "rul": "all"}, "rul: unknown; a group has group and rule"),
        ({"group": "sales", "rule": "some"}, "rule: must be first or all"),
        ({"group": ["sales"]}, "group: must be the name of a group"),
        ({}, "group: must be the name of a group"),
        ("group:", "must be the id of a person, or a group as {group: sales}"),
        ("team:sales", "must be the id of a person, or a group as {group: sales}"),
        ("max", '"max" is not in people.yaml'),
    ],
)
async def test_what_is_neither_is_refused_at_its_field(desk: Desk, written: object, message: str) -> None:
    with pytest.raises(FileFaults) as refused:
        await desk.request(written)
    [fault] = [fault for fault in refused.value.faults if fault.path.startswith("requester")]
    assert message in fault.says


@pytest.mark.long
async def test_a_group_of_five_thousand_is_refused_by_its_field(desk: Desk) -> None:
    desk.write_crowd(4_998)
    with pytest.raises(FileFaults) as refused:
        await desk.request({"group": "sales"})
    assert [(fault.path, fault.says) for fault in refused.value.faults] == [
        ("requester", "the group sales has 5,000 people: at most 100 are allowed")
    ]


async def test_a_task_may_be_of_a_group_and_for_one_of_it(desk: Desk) -> None:
    alone = (await desk.task({"group": "sales"}, who={"person": "eve"})).workflow_input.task
    together = (await desk.task("group:sales:all", who={"group": "sales"})).workflow_input.task
    assert (alone.requester, [participant.person for participant in alone.people]) == ("group:sales", ["eve"])
    assert (together.notify_all, [participant.person for participant in together.people]) == (True, ["eve", "bob"])


def test_what_is_for_whoever_asks_is_for_the_group() -> None:
    assert asked_of("eve") == {"person": "eve"}
    assert asked_of("group:sales:all") == {"group": "sales"}
    assert asking("group:sales:all") == {"requester": "group:sales", "notify_all": True}
    assert asking_word({"group": "sales", "rule": "all"}) == "group:sales:all"
