"""The onboarding file: what is right, all that is wrong with it and with its parts, and how large it may be."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activities.campaign import population as rows
from activities.files.reading import FileFaults, FileText
from activities.launch.doors import CheckContext
from activities.launch.request_file import prepare_request
from activities.onboarding.file import (
    COLLEAGUES_AT_MOST,
    ID_AT_MOST,
    PARTS_AT_MOST,
    STAGES_AT_MOST,
    TEAMS_AT_MOST,
)
from activities.policies.catalogue import Catalogue
from tests.activities.launch.papers import SECRET, in_full
from tests.workflows.onboarding.stage import (
    AGREEMENTS,
    DETAILS,
    LIVE,
    OWNER,
    PEOPLE,
    SET_UP,
    WHOLE,
    House,
    a_file,
    an_agreement,
)
from workflows.model.notifications import QUIET_AT_MOST, NotificationBudget
from workflows.model.onboarding import PartKind

CHAIR = {"person": "chair"}
NOTICE = {"to": "customer", "text": "Welcome, your service is active."}
IN_FULL = {"name": "Zoë Ek", "email": "zoe@elsewhere.example", "zone": "Europe/Stockholm"}


async def faults(folder: Path, file: dict[str, Any] | str) -> list[str]:
    """What is said of a file, without its name and lines."""
    with pytest.raises(FileFaults) as refusal:
        await House(folder).prepared(file)
    return [f"{fault.path}: {fault.says}" for fault in refusal.value.faults]


async def test_a_file_becomes_stages_of_parts_that_are_named_and_numbered(tmp_path: Path) -> None:
    prepared = await House(tmp_path).prepared(a_file(*WHOLE))
    parts = [(part.id, part.what, part.number) for stage in prepared.workflow_input.stages for part in stage.parts]
    assert parts == [
        ("agreement-1", PartKind.AGREEMENT, 1),
        ("agreement-2", PartKind.AGREEMENT, 2),
        ("account", PartKind.TASK, 1),
        ("billing", PartKind.STEP, 1),
        ("notice-1", PartKind.NOTICE, 1),
    ]
    onboarding = prepared.workflow_input.onboarding
    assert (onboarding.title, onboarding.requester) == ("Acme", OWNER)
    assert onboarding.told == ("operations-desk", "success-desk")
    assert onboarding.teams == ("operations-desk", "success-desk")


async def test_each_part_is_what_it_would_be_if_it_were_started_alone(tmp_path: Path) -> None:

    house = House(tmp_path)
    onboarding = await house.prepared(a_file(AGREEMENTS))
    alone = {**an_agreement(), "id": "alone", "requester": OWNER, "signers": [{"person": "customer-signer"}]}
    (tmp_path / "alone.yaml").write_text(json.dumps(alone))
    prepared_request = await prepare_request(
        FileText.read(tmp_path / "alone.yaml"),
        CheckContext(Catalogue.read(tmp_path / "catalogue.yaml"), house.directory, datetime.now(UTC)),
    )
    assert onboarding.parts["agreement-1"].workflow_input.fingerprint == prepared_request.request.fingerprint


async def test_a_customer_may_stand_in_full_and_is_asked_in_every_part(tmp_path: Path) -> None:
    file = a_file(
        AGREEMENTS, DETAILS, customer={**IN_FULL, "company": "Acme", "colleagues": [IN_FULL | {"email": "b@c.example"}]}
    )
    prepared = await House(tmp_path).prepared(file)
    zoe, colleague = in_full(IN_FULL["email"]), in_full("b@c.example")
    assert [participant.person for participant in prepared.workflow_input.onboarding.people] == [zoe, colleague]
    assert "zoe@" not in prepared.workflow_input.model_dump_json()
    table = tmp_path / "staff.csv"
    table.write_text("name,email,zone\nZoe,Zoe@elsewhere.example,Europe/Paris\n")
    assert [row.person for row in rows.read(table, secret=SECRET).rows] == [zoe], "in a campaign as well"
    assert [participant.person for participant in prepared.parts["agreement-1"].workflow_input.subject.people] == [zoe]
    assert [participant.person for participant in prepared.parts["billing"].workflow_input.subject.people] == [zoe]


@pytest.mark.parametrize("customer", [IN_FULL, {"person": "customer-signer"}], ids=["in full", "of the directory"])
async def test_without_a_company_an_onboarding_is_called_by_its_id_and_never_by_a_person(
    tmp_path: Path, customer: dict[str, Any]
) -> None:
    house = House(tmp_path)
    assert (await house.prepared(a_file(LIVE, customer=customer))).workflow_input.onboarding.title == "acme"
    nameless = (await house.prepared(a_file(LIVE, customer=customer, id=None))).workflow_input.onboarding
    assert nameless.title == nameless.id


async def test_an_onboarding_gives_a_budget_to_the_customer_s_people_by_the_ids_that_its_parts_ask(
    tmp_path: Path,
) -> None:
    second = an_agreement(signers=[{"person": "chief-executive"}, {"person": "customer"}])
    customer = {**IN_FULL, "company": "Acme", "colleagues": [IN_FULL | {"email": "b@c.example"}]}
    stage = {"name": "agreements", "agreements": [an_agreement(), second]}
    prepared = await House(tmp_path).prepared(a_file(stage, DETAILS, customer=customer, quiet={"most": 2, "per": "1w"}))
    zoe, colleague = in_full(IN_FULL["email"]), in_full("b@c.example")
    assert prepared.workflow_input.onboarding.quiet == NotificationBudget(most=2, per="1w", people=(zoe, colleague))
    people = {
        id: [person.person for person in part.workflow_input.subject.people] for id, part in prepared.parts.items()
    }
    assert (people["agreement-1"], people["agreement-2"][1], people["billing"]) == ([zoe], zoe, [zoe])


async def test_all_that_is_wrong_with_the_parts_is_said_at_once_by_their_fields(
    tmp_path: Path,
) -> None:
    file = a_file(
        {
            "name": "agreements",
            "agreements": [
                an_agreement(kind="contrct"),
                {**an_agreement(), "document": {"file": "gone.pdf"}},
                {**an_agreement(), "signers": [{"person": "custmer"}]},
            ],
        },
        {
            "name": "set-up",
            "tasks": [
                {"id": "a.b", "title": "With a dot", "team": "operations"},
                {"id": "x", "title": "Nobody", "team": "opertions"},
                {"id": "x", "title": "Twice", "team": "operations"},
                {"title": "Without a team"},
                {"id": "a/b", "title": "With a slash", "team": "operations"},
                {"title": "Typo", "team": "operations", "withn": "5d"},
            ],
            "steps": [{"id": "s", "title": "Given away", "delegate": "yes"}],
            "notices": [{"to": "everybody", "text": "Hello"}],
        },
    )
    messages = await faults(tmp_path, file)
    assert messages == [
        "stages[1].tasks[0].id: must be 1-48 characters of A-Z a-z 0-9 _ -",
        'stages[1].tasks[1].team: "opertions" is none of teams, did you mean operations?',
        "stages[1].tasks[2].id: x is the id of another part",
        "stages[1].tasks[3]: needs team: one of operations, success",
        "stages[1].tasks[4].id: must be 1-48 characters of A-Z a-z 0-9 _ -",
        "stages[1].steps[0].delegate: must be true or false",
        'stages[1].notices[0].to: "everybody" is none of teams',
        'stages[0].agreements[0].kind: "contrct" is not a kind of catalogue.yaml, did you mean contract?',
        "stages[0].agreements[1].document.file: gone.pdf is not a file in the folder of this file",
        'stages[0].agreements[2].signers[0].person: "custmer" is not in people.yaml, did you mean customer-signer?',
        "stages[1].tasks[5].withn: unknown, did you mean within?",
    ]


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"owner": "nobody"}, "owner"),
        ({"customer": {"person": "nobody"}}, "customer.person"),
        ({"customer": {"name": "Acme"}}, "customer"),
        ({"teams": {"operations": "nobody"}}, "teams"),
        ({"teams": {"customer": "chair"}}, "teams"),
        ({"id": "a.b"}, "id"),
        ({"due": "2099-01-01"}, "due"),
        ({"id": "a" * (ID_AT_MOST + 1)}, "id"),
        ({"quiet": {"most": 0}}, "quiet.most"),
        ({"quiet": {"most": QUIET_AT_MOST * 10}}, "quiet.most"),
        ({"stages": []}, "stages"),
        ({"stages": [{"name": "empty"}]}, "stages[0]"),
        ({"stages": [SET_UP, SET_UP]}, "stages"),
        ({"stages": [LIVE | {"name": f"live {number}"} for number in range(STAGES_AT_MOST * 10)]}, "stages"),
        ({"stages": [{"name": "many", "notices": [NOTICE] * (PARTS_AT_MOST * 10)}]}, "stages"),
        ({"teams": {f"team-{number}": "chair" for number in range(TEAMS_AT_MOST * 10)}}, "teams"),
        (
            {
                "customer": {
                    "person": "customer-signer",
                    "colleagues": [{"person": "chair"}] * (COLLEAGUES_AT_MOST * 10),
                }
            },
            "customer.colleagues",
        ),
        ({"stagse": []}, "stagse"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_what_is_wrong_with_the_file_itself_names_its_field(
    tmp_path: Path, changed: dict[str, Any], path: str
) -> None:
    messages = await faults(tmp_path, a_file(*WHOLE) | changed)
    assert any(line.startswith(f"{path}: ") for line in messages), messages


GROUP = {"id": "sales-lead", "name": "Hal Ro", "email": "hal@us.example", "zone": "UTC", "groups": ["sales"]}


def house_with_sales(folder: Path) -> House:
    """Somebody is of the group `sales`."""
    house = House(folder)
    (folder / "people.yaml").write_text(json.dumps({"people": [*PEOPLE, GROUP]}))
    return house


@pytest.mark.parametrize(
    ("owner", "assignee", "expected_who", "decides"),
    [
        (OWNER, {"person": "owner"}, {"person": OWNER}, "chair"),
        ({"group": "sales"}, {"person": "owner"}, {"group": "sales"}, "operations-desk"),
        (OWNER, {"person": "operations"}, {"person": "operations-desk"}, OWNER),
        (OWNER, {"person": "sellers"}, {"group": "sales"}, OWNER),
        (OWNER, {"person": "customer"}, {"person": "customer-signer"}, OWNER),
        (OWNER, CHAIR, CHAIR, OWNER),
    ],
    ids=str,
)
async def test_the_words_for_people_stand_for_whom_a_task_asks(
    tmp_path: Path, owner: Any, assignee: dict[str, str], expected_who: dict[str, str], decides: str
) -> None:
    task = {"id": "t", "title": "Call them", "who": assignee}
    teams = {"operations": "operations-desk", "sellers": "sales"}
    file = a_file({"name": "begin", "tasks": [task]}, owner=owner, teams=teams)
    prepared = await house_with_sales(tmp_path).prepared(file)
    content = prepared.content.parts["t"].file
    assert (content["who"], content["owner"]) == (expected_who, decides)
    assert (prepared.workflow_input.stages[0].parts[0].team == "customer") is (assignee == {"person": "customer"})


async def test_the_words_for_people_stand_for_reviewers_and_colleagues_and_never_for_a_group_that_signs(
    tmp_path: Path,
) -> None:
    reviewers = [{"person": "operations"}, {"person": "sellers", "rule": "all"}]
    task = {"id": "t", "title": "Call them", "team": "operations", "colleagues": [{"person": "success"}]}
    teams = {"operations": "operations-desk", "success": "success-desk", "sellers": "sales"}
    stage = {"name": "begin", "agreements": [an_agreement(reviewers=reviewers)], "tasks": [task]}
    house = house_with_sales(tmp_path)
    parts = (await house.prepared(a_file(stage, teams=teams))).content.parts
    assert parts["agreement-1"].file["reviewers"] == [
        {"person": "operations-desk"},
        {"rule": "all", "group": "sales"},
    ]
    assert parts["t"].file["colleagues"] == [{"person": "success-desk"}]
    signers = [an_agreement(signers=[{"person": role_word}]) for role_word in ("owner", "sellers")]
    wrong = {"name": "begin", "agreements": signers, "tasks": [{"title": "Call", "who": {"person": ["owner"]}}]}
    with pytest.raises(FileFaults) as refusal:
        await house.prepared(a_file(wrong, owner={"group": "sales"}, teams=teams))
    messages_by_path = {fault.path: fault.says for fault in refusal.value.faults}
    for number, role_word in enumerate(("owner", "sellers")):
        path = f"stages[0].agreements[{number}].signers[0].person"
        assert messages_by_path.pop(path) == f"{role_word} is a group here: name one of its people"
    assert [*messages_by_path] == ["stages[0].tasks[0].who.person"]


async def test_whoever_has_no_manager_needs_a_team_that_hears_of_their_decisions(tmp_path: Path) -> None:
    assert await faults(tmp_path, a_file(AGREEMENTS, owner="board", teams={})) == [
        "owner: board has no manager, and no team is anybody else: nobody would hear that a decision waits"
    ]


async def test_stages_of_a_template_are_overridden_by_name(tmp_path: Path) -> None:
    house = House(tmp_path)
    (tmp_path / "standard.yaml").write_text(json.dumps({"stages": [AGREEMENTS, SET_UP, LIVE]}))
    own_stages: list[dict[str, Any]] = [
        {"name": "agreements", "agreements": [an_agreement("Ours")]},
        {"name": "live", "notices": None},
        DETAILS,
    ]
    prepared = await house.prepared(a_file(*own_stages, template="standard"))
    assert [(stage.name, len(stage.parts)) for stage in prepared.workflow_input.stages] == [
        ("agreements", 1),
        ("account set-up", 1),
        ("your details", 1),
    ]
    assert await faults(tmp_path, a_file(template="standrad")) == [
        f"template: there is no standrad.yaml in {tmp_path}, did you mean standard?"
    ]


async def test_a_file_without_stages_takes_all_of_its_template(tmp_path: Path) -> None:
    house = House(tmp_path)
    (tmp_path / "standard.yaml").write_text(json.dumps({"stages": [AGREEMENTS, LIVE]}))
    file = a_file(template="standard")
    del file["stages"]
    prepared = await house.prepared(file)
    assert [stage.name for stage in prepared.workflow_input.stages] == ["agreements", "live"]


async def test_a_group_may_own_it_and_all_its_parts(tmp_path: Path) -> None:
    house = House(tmp_path)
    sellers = [
        {**person, "groups": ["sales"]} if person["id"] in (OWNER, "success-desk") else person for person in PEOPLE
    ]
    (tmp_path / "people.yaml").write_text(json.dumps({"people": sellers}))
    task = {"id": "call", "title": "Call them", "who": {"group": "sales"}}
    stages = (*WHOLE, {"name": "last", "tasks": [task]})
    prepared = await house.prepared(a_file(*stages, owner={"group": "sales", "rule": "all"}))
    onboarding, parts = prepared.workflow_input.onboarding, prepared.parts
    assert (onboarding.requester, onboarding.notify_all) == ("group:sales", True)
    assert onboarding.told == ("operations-desk",), "who is of the group hears as the owner"
    assert prepared.content.deputy == "operations-desk"
    owner_by_part = {
        id: (part.workflow_input.subject.requester, part.workflow_input.subject.notify_all)
        for id, part in parts.items()
    }
    assert owner_by_part.pop("call") == ("operations-desk", False), "of what the owner does, another hears"
    assert set(owner_by_part.values()) == {("group:sales", True)}
    assert set(parts["call"].workflow_input.first_turn) == {OWNER, "success-desk"}
