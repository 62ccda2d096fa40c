"""Mappings: what the JSON may give and what it never can, and what is said of a mapping that is wrong."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from activities.files.reading import FileFaults
from starter.config.settings import load
from starter.errors import Refusal
from starter.web.intake.hook_mapping import TAKEN_AT_MOST, SourceMapping, onboarding_id
from starter.web.intake.hooks import HookSource
from tests.starter.web.hooking import DEAL, EXAMPLES, contact, deal, office

STAGE = {"name": "live", "notices": [{"to": "customer", "text": "Welcome {name}"}]}
TAKE = {"name": "name", "x": "x"}


def mapping(folder: Path, onboarding: dict[str, Any] | None = None, **overrides: Any) -> SourceMapping:
    """A mapping of the source `crm`."""
    content = {"deal": "id", "take": TAKE, "onboarding": onboarding or {"stages": [STAGE]}, **overrides}
    (folder / "crm.yaml").write_text(json.dumps(content, indent=1))
    return SourceMapping.read(folder, "crm")


def fill_file(folder: Path, body: Any, **overrides: Any) -> Any:
    """What the file says that some JSON becomes."""
    mapped_deal = mapping(folder, **overrides).file_of(body)
    assert mapped_deal is not None
    return mapped_deal.file.plain


def test_texts_are_put_into_texts_and_never_become_more(tmp_path: Path) -> None:
    rude = '"}, policy: {window: 1d}, x: "\n- {to: owner}\n{x} {{deal}} &a *a !!python/object'
    file = fill_file(tmp_path, {"id": 7, "name": rude, "x": "never seen"})
    assert file == {
        "id": "crm-7",
        "stages": [{"name": "live", "notices": [{"to": "customer", "text": f"Welcome {rude}"}]}],
    }


def test_a_value_may_be_missing_have_a_default_or_be_a_number(tmp_path: Path) -> None:
    customer = {"name": "{name}", "email": "{mail}", "zone": "{zone}", "locale": "{locale}", "company": "{deal} {n}"}
    take = {
        "name": "people[1].name",
        "mail": "people[9].mail",
        "zone": {"at": "zone", "default": "Europe/Paris"},
        "locale": "[0]",
        "n": "n",
    }
    body = {"id": 12, "people": [{}, {"name": " Zoë "}], "zone": None, "n": 1.5}
    file = fill_file(tmp_path, body, onboarding={"customer": customer}, take=take)
    assert file["customer"] == {"name": "Zoë", "zone": "Europe/Paris", "company": "12 1.5"}


def test_a_list_may_be_looked_into_from_its_beginning(tmp_path: Path) -> None:
    file = fill_file(
        tmp_path, [{"id": "a", "closed": True}], deal="[0].id", when={"[0].closed": True}, take={"name": "[0].id"}
    )
    assert file["id"] == "crm-a"


@pytest.mark.parametrize(
    "body", [{"id": 7, "stage": {"name": "won"}}, {"stage": ["won"]}, {"stage": "lost"}, [], "won"]
)
def test_an_event_of_another_shape_passes_by(body: Any, tmp_path: Path) -> None:
    """Senders give a hook up that refuses what they send."""
    assert mapping(tmp_path, when={"stage": "won"}).file_of(body) is None


@pytest.mark.parametrize(
    ("deal_id", "id"),
    [("4711", "crm-4711"), ("006Dn00000A-x_y", "crm-006Dn00000A-x_y"), ("d" * 44, f"crm-{'d' * 44}")],
)
def test_the_id_of_a_deal_is_kept_where_it_can_be(deal_id: str, id: str) -> None:
    assert onboarding_id("crm", deal_id) == id


def test_a_mapping_whose_name_is_no_source_is_refused(tmp_path: Path) -> None:
    """`crm-eu` with deal `1` and `crm` with deal `eu-1` would make one id."""
    mapping(tmp_path)
    (tmp_path / "crm.yaml").rename(tmp_path / "crm-eu.yaml")
    with pytest.raises(FileFaults, match="its name must be that of a source"):
        SourceMapping.read(tmp_path, "crm-eu")


def test_another_id_is_a_hash_that_no_deal_has() -> None:
    strange = ["a.b", "d" * 45, "Zoë", "zoe@acme.example", "../x", "_x", "-x", "a b", "x" * 4_000]
    ids = [onboarding_id("crm", deal_id) for deal_id in strange]
    assert len(set(ids)) == len(strange)
    assert all(len(id) == 29 and id.startswith("crm-_") for id in ids)
    assert onboarding_id("crm", ids[0].removeprefix("crm-")) not in ids


@pytest.mark.parametrize(
    ("path", "onboarding"),
    [
        ("kind", {"kind": "{x}"}),
        ("template", {"template": "{x}"}),
        ("policy.window", {"policy": {"window": "{x}"}}),
        ("policy.handoff[0].person", {"policy": {"handoff": [{"person": "{x}"}]}}),
        ("policy.escalation.title", {"policy": {"escalation": {"title": "{x}"}}}),
        ("subscribers[0]", {"subscribers": ["{x}"]}),
        ("stages[0].name", {"stages": [{"name": "{x}"}]}),
        ("stages[0].tasks[0].team", {"stages": [{"tasks": [{"team": "{x}"}]}]}),
        ("stages[0].tasks[0].id", {"stages": [{"tasks": [{"id": "{x}"}]}]}),
        ("stages[0].tasks[0].within", {"stages": [{"tasks": [{"within": "{x}"}]}]}),
        ("stages[0].notices[0].to", {"stages": [{"notices": [{"to": "{x}"}]}]}),
        ("stages[0].agreements[0].kind", {"stages": [{"agreements": [{"kind": "a {x}"}]}]}),
        ("stages[0].agreements[0].document.file", {"stages": [{"agreements": [{"document": {"file": "{x}.pdf"}}]}]}),
        (
            "stages[0].agreements[0].document.template",
            {"stages": [{"agreements": [{"document": {"template": "{x}"}}]}]},
        ),
        ("stages[0].agreements[0].policy.grace", {"stages": [{"agreements": [{"policy": {"grace": "{x}"}}]}]}),
        ("customer.devices[0].token", {"customer": {"devices": [{"token": "{x}"}]}}),
    ],
)
def test_what_the_json_may_not_give_is_refused_when_the_mapping_is_read(
    tmp_path: Path, path: str, onboarding: dict[str, Any]
) -> None:
    with pytest.raises(FileFaults) as refused:
        mapping(tmp_path, onboarding)
    [fault] = refused.value.faults
    assert (fault.path, fault.says) == (
        f"onboarding.{path}",
        "must not come from the JSON, which gives texts, persons and dates only: write it out",
    )
    assert fault.line and fault.line > 1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"dael": "x"}, "dael: unknown, did you mean deal?"),
        ({"deal": "a..b"}, "deal: is not a path like deal.id or contacts[0].email"),
        ({"deal": "a" * 5_000}, "deal: is not a path like deal.id or contacts[0].email"),
        ({"take": {"name": "x["}}, "take.name.at: is not a path like deal.id or contacts[0].email"),
        ({"take": {"name": {"at": "x", "els": ""}}}, "take.name.els: unknown, known are at, default"),
        ({"take": {"nmae": "x"}}, "onboarding.stages[0].notices[0].text: take has no name, did you mean nmae?"),
        ({"take": {f"n{n}": "x" for n in range(10 * TAKEN_AT_MOST)}}, "take: has more than 100 entries"),
        ({"when": {"x": ["a"]}}, "when.x: must be a text, a whole number, true or false"),
        ({"signature": "a: b"}, "signature: must be the name of a header such as X-Remote-User"),
        ({"onboarding": {"id": "x"}}, "onboarding.id: is made of the deal's id: leave it out"),
    ],
)
def test_a_mapping_that_is_wrong_is_refused_with_its_lines(
    tmp_path: Path, overrides: dict[str, Any], message: str
) -> None:
    with pytest.raises(FileFaults) as refused:
        mapping(tmp_path, **overrides)
    [fault] = refused.value.faults
    assert f"{fault.path}: {fault.says}" == message
    assert fault.line and fault.line > 1


def test_a_source_without_a_mapping_is_refused_at_the_start(tmp_path: Path) -> None:
    environment = office(tmp_path)
    (tmp_path / "mappings" / "crm.yaml").unlink()
    with pytest.raises(FileFaults, match=r"crm.yaml: cannot be read"):
        HookSource.all_of(load(environment=environment))
    with pytest.raises(Refusal, match=r"^COUNTERSIGN_HOOK_MAPPINGS: is missing"):
        HookSource.all_of(load(environment={**environment, "COUNTERSIGN_HOOK_MAPPINGS": ""}))
    assert HookSource.all_of(load(environment={**environment, "COUNTERSIGN_HOOK_SECRETS": ""})) == {}


def test_the_example_takes_the_example_s_deal(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "crm.yaml", tmp_path)
    mapped_deal = SourceMapping.read(tmp_path, "crm").file_of(deal())
    assert mapped_deal is not None
    assert (mapped_deal.id, mapped_deal.deal) == ("crm-4711", "4711")
    assert mapped_deal.file.plain["customer"]["zone"] == "Europe/Stockholm"
    mapped_contact = SourceMapping.read(tmp_path, "crm").file_of(contact(timezone=None, language=""))
    assert mapped_contact is not None
    assert mapped_contact.file.plain["customer"] == {
        "company": "Acme",
        "name": DEAL["contacts"][0]["name"],
        "email": "zoe@acme.example",
        "zone": "Europe/Amsterdam",
    }
