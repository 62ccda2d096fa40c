"""The task file in full: who is asked, by when, its faults, and how it is recognised."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML
from temporalio.client import Client

from activities.files.reading import FileFaults, FileText
from activities.launch.doors import CheckContext
from activities.launch.launch import IdTaken, start
from activities.launch.task_file import ANSWER_LINES_AT_MOST, COLLEAGUES_AT_MOST, PreparedTask, prepare_task
from activities.policies.catalogue import Catalogue
from tests.activities.launch.papers import NOW, PEOPLE, Desk, in_full, make_request
from tests.markdown import ROOT
from workflows.model.subject import AnswerField, Participant, Role

CATALOGUE: Final = Catalogue.read(ROOT / "starter" / "policies.yaml")
TASK: Final[Mapping[str, Any]] = {
    "id": "acme.account",
    "title": "Create the account",
    "text": "With the data of the order form.",
    "who": {"group": "all-staff"},
    "owner": "legal-desk",
    "kind": "team-task",
    "due": "2026-12-11",
}


IN_FULL: Final = {"name": "Buyer", "email": "buyer@example.org", "zone": "Asia/Tokyo", "locale": "ja"}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def prepared(desk: Desk, *, of_parent: bool = False, **changes: Any) -> PreparedTask:
    """Write a task file with a line per field, and check it."""
    path = desk.folder / "task.yaml"
    with path.open("w", encoding="utf-8") as stream:
        YAML().dump(make_request(TASK, **changes), stream)
    return await prepare_task(
        FileText.read(path), CheckContext(CATALOGUE, desk.directory, NOW, is_part_of_parent=of_parent)
    )


async def faults(desk: Desk, **changes: Any) -> str:
    with pytest.raises(FileFaults) as caught:
        await prepared(desk, **changes)
    return str(caught.value).replace(f"{desk.folder}/", "")


async def test_a_team_is_its_people_but_for_the_owner_and_a_task_never_expires_by_itself(desk: Desk) -> None:
    task_input = (await prepared(desk, subscribers=["customer-onboarding:acme"])).workflow_input
    task = task_input.task
    assert (task.id, task.kind, task.title, task.requester) == (
        "acme.account",
        "team-task",
        "Create the account",
        "legal-desk",
    )
    assert task.text == "With the data of the order form."
    assert task.people == (Participant(person="chief-executive", role=Role.DO),)
    assert (task_input.due, task_input.policy.expires) == (date(2026, 12, 11), False)
    assert task_input.policy.overdue is not None
    assert task_input.subscribers == ("customer-onboarding:acme",)
    assert task.workflow_id == "task:acme.account"


async def test_without_an_id_the_same_content_is_the_same_task_whoever_has_joined_the_team(desk: Desk) -> None:
    first = await prepared(desk, id=None)
    joiner = "  - {id: joiner, name: J, email: j@example.com, zone: Europe/Paris, groups: [all-staff]}\n"
    (desk.folder / "people.yaml").write_text(PEOPLE + joiner)
    repeated = await prepared(desk, id=None)
    assert (
        first.workflow_input.task.id
        == repeated.workflow_input.task.id
        == f"team-task-{first.workflow_input.fingerprint[:12]}"
    )
    assert len(repeated.workflow_input.task.people) == 2


async def test_who_stands_in_full_is_kept_beside_the_task_and_nowhere_else(desk: Desk) -> None:
    office = {"name": "Back office", "email": "office@example.org", "zone": "Asia/Tokyo"}
    prepared_task = await prepared(desk, who=IN_FULL, colleagues=[{"person": "customer-signer"}, office])
    task_input = await prepared_task.store_input(desk.store)
    assert task_input.task.people == (Participant(person=in_full("buyer@example.org"), role=Role.DO),)
    assert task_input.task.colleagues == ("customer-signer", in_full("office@example.org"))
    assert not any(
        personal_text in task_input.model_dump_json() for personal_text in ("Buyer", "office", "example.org")
    )
    buyer = await desk.directory.person(in_full("buyer@example.org"), task_input.task.workflow_id)
    assert (buyer.name, buyer.email, buyer.zone, buyer.locale) == ("Buyer", "buyer@example.org", "Asia/Tokyo", "ja")
    assert (
        await desk.directory.person(in_full("office@example.org"), task_input.task.workflow_id)
    ).name == "Back office"


async def test_of_several_starts_the_people_are_those_of_the_one_that_lives(desk: Desk) -> None:
    """Whatever a start that failed has left, or one that was slower has written."""
    wrong, right = await prepared(desk, who={**IN_FULL, "email": "byer@example.org"}), await prepared(desk, who=IN_FULL)
    await wrong.store_input(desk.store)
    task_input = await right.store_input(desk.store)
    await desk.store.people.choose(task_input.task.workflow_id, task_input.fingerprint)
    assert (
        await desk.directory.person(in_full("buyer@example.org"), task_input.task.workflow_id)
    ).email == "buyer@example.org"


async def test_the_due_date_of_a_day_ends_where_somebody_in_full_is(desk: Desk) -> None:
    """18:00 in Tokyo is 09:00 in UTC, which it is when the file is read."""
    assert (await prepared(desk, due="2026-11-02")).overdue is None
    assert (await prepared(desk, due="2026-11-02", who=IN_FULL)).overdue is not None


async def test_no_more_colleagues_than_can_be_chosen_from(desk: Desk) -> None:
    def colleagues(count: int) -> list[dict[str, str]]:
        return [{"name": "C", "email": f"c{n}@example.org", "zone": "Asia/Tokyo"} for n in range(count)]

    assert len((await prepared(desk, colleagues=colleagues(COLLEAGUES_AT_MOST))).workflow_input.task.colleagues) == 20
    assert "colleagues: has more than 20 entries" in await faults(desk, colleagues=colleagues(10 * COLLEAGUES_AT_MOST))


async def test_an_answer_is_asked_for_by_a_field_with_its_limits(desk: Desk) -> None:
    answer_field = (await prepared(desk, answer={"label": "Address"})).workflow_input.task.answer
    assert answer_field == AnswerField(label="Address", required=True, lines=1)
    largest_field = {"label": "Address", "required": False, "lines": ANSWER_LINES_AT_MOST}
    assert (await prepared(desk, answer=largest_field)).workflow_input.task.answer == AnswerField(**largest_field)
    for wrong, message in (
        ({"label": "Address", "lines": 10 * ANSWER_LINES_AT_MOST}, "answer.lines"),
        ({"lines": 4}, "answer.label"),
        ({"label": "Address", "line": 4}, "answer.line: unknown, did you mean lines?"),
    ):
        assert message in await faults(desk, answer=wrong)


async def test_the_time_that_a_file_gives_is_the_window_of_its_policy(desk: Desk) -> None:
    prepared_task = await prepared(desk, due=None, within="3d", policy={"reminders": {"first": "4h"}})
    assert (prepared_task.workflow_input.due, prepared_task.workflow_input.policy.window) == (None, "3d")
    assert prepared_task.workflow_input.policy.reminders is not None
    assert prepared_task.workflow_input.policy.reminders.first == "4h"
    assert "the last of 2 comes after 3 days" in await faults(
        desk, due=None, within="2d", policy={"reminders": {"every": "2d"}}
    )


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"title": None}, "title: is missing"),
        ({"titel": "x"}, "titel: unknown, did you mean title?"),
        ({"kind": "team-tsk"}, 'kind: "team-tsk" is not a kind of policies.yaml, did you mean team-task?'),
        ({"owner": "legal-dsk"}, 'task.yaml:6: owner: "legal-dsk" is not in people.yaml, did you mean legal-desk?'),
        ({"who": None}, "who: is missing"),
        ({"who": {}}, "who: needs group, person, or somebody in full (name, email, zone missing)"),
        (
            {"who": {"group": "all-staff", "person": "chair"}},
            "who: has group and person: either group, person, or somebody in full",
        ),
        (
            {"who": {"group": "all-staff", **IN_FULL}},
            "who: has group and name: either group, person, or somebody in full",
        ),
        ({"who": {"name": "C"}}, "who: needs group, person, or somebody in full (email, zone missing)"),
        ({"who": {**IN_FULL, "email": "B <b@c>"}}, "task.yaml:6: who.email: is not an e-mail address"),
        ({"who": IN_FULL, "colleagues": [IN_FULL]}, "colleagues[0].email: is the e-mail address of somebody else"),
        ({"colleagues": [{"person": "legal-desk"}]}, "colleagues[0].person: legal-desk is the owner"),
        ({"colleagues": [{"person": "chief-executive"}]}, "chief-executive is among those who are asked already"),
        ({"colleagues": [{"person": "chair"}] * 2}, "colleagues[1].person: chair is among those who are asked already"),
        ({"colleagues": [{"person": "chiar"}]}, 'colleagues[0].person: "chiar" is not in people.yaml'),
        ({"colleagues": ["chair"]}, "colleagues[0]: "),
        ({"colleagues": [{"group": "directors"}]}, "colleagues[0].group: unknown"),
        ({"who": "chair"}, "who: "),
        ({"who": {"group": ["all-staff"]}}, "who.group: "),
        ({"who": {"group": "al-staff"}}, 'task.yaml:5: who.group: the group "al-staff" is not in people.yaml'),
        (
            {"who": {"group": "directors"}, "owner": "chief-executive"},
            "in the group directors is nobody but whoever asks",
        ),
        ({"who": {"person": "legal-desk"}}, "who.person: legal-desk is the owner and cannot be asked"),
        ({"who": {"person": "chiar"}}, 'who.person: "chiar" is not in people.yaml, did you mean chair?'),
        ({"within": "5d"}, "has due and within, but only one of them can be given"),
        ({"within": "5 d", "due": None}, "within: must be a duration"),
        ({"within": "5d", "due": None, "policy": {"window": "4d"}}, "only one of them can be given"),
        (
            {"policy": {"escalation": {"alternates": ["chiar"]}}},
            'policy.escalation.alternates[0]: "chiar" is not in people.yaml',
        ),
    ],
)
async def test_what_is_wrong_is_told_at_its_field(desk: Desk, changes: dict[str, Any], fault: str) -> None:
    assert fault in await faults(desk, **changes)


async def test_a_team_of_more_than_a_hundred_is_refused(desk: Desk) -> None:
    crowd = "".join(
        f"  - {{id: p{n}, name: P, email: p{n}@example.com, zone: Europe/Paris, groups: [crowd]}}\n" for n in range(101)
    )
    (desk.folder / "people.yaml").write_text(PEOPLE + crowd)
    assert "the group crowd has 101 people: at most 100 are allowed" in await faults(desk, who={"group": "crowd"})
    assert len((await prepared(desk, who={"group": "crowd"}, owner="p7")).workflow_input.task.people) == 100


async def test_a_task_that_has_ended_is_known_by_its_record_alone(desk: Desk) -> None:
    ended_task, other_task = await prepared(desk), await prepared(desk, title="Create another")
    record = {"version": 1, "fingerprint": ended_task.workflow_input.fingerprint, "run_id": "run-1", "show": {}}
    await desk.store.records.write("task:acme.account", json.dumps(record).encode())
    nowhere = await Client.connect("127.0.0.1:1", lazy=True)
    started = await start(nowhere, desk.store, ended_task)
    assert (started.created, started.workflow_id, started.run_id) == (False, "task:acme.account", "run-1")
    with pytest.raises(IdTaken, match=r"acme.account is the id of another task .*countersign task show acme.account"):
        await start(nowhere, desk.store, other_task)
