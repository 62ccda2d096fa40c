"""People who have a number and no e-mail address: whom a file may ask, how they are known, what a table may have."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from activities.campaign import population
from activities.campaign.population import AudienceFile
from activities.files.reading import FileFaults
from activities.people.directory import read
from activities.people.ids import id_of_address
from activities.people.mailbox import NO_SUBSTITUTES, MailboxSubstitutes
from activities.people.person import SignersFile
from tests.activities.launch.papers import PEOPLE, SECRET, Desk, faults, in_full

SUBSTITUTES = MailboxSubstitutes(has_messaging=True, relay="sign+*@relay.example")
WORKER = {"name": "Wor Ker", "zone": "Europe/Amsterdam", "phone": "+31 6 1234 5678"}
NUMBER = "+31612345678"
DRIVER = '  - {id: driver, name: Dri Ver, zone: UTC, phone: "+31 20 555 0100"}\n'


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path, PEOPLE + DRIVER)
    desk.directory.substitutes = SUBSTITUTES
    return desk


async def test_a_signer_without_a_mailbox_is_known_by_the_number(desk: Desk) -> None:
    prepared = await desk.prepare(signers=[WORKER, {"person": "driver"}])
    people = [signer.person for signer in prepared.request.brief.people]
    assert people == [in_full(NUMBER), "driver"]
    assert NUMBER[1:] not in prepared.request.model_dump_json()
    worker = SignersFile.model_validate_json(prepared.signers or b"").person(people[0])
    assert worker and (worker.email, worker.phone, worker.address) == ("", WORKER["phone"], NUMBER)
    # However its digits are grouped, it is one number.
    other_spelling = await desk.prepare(signers=[{**WORKER, "phone": NUMBER}])
    assert other_spelling.request.brief.people[0].person == in_full(NUMBER)


@pytest.mark.parametrize("signer", [WORKER, {"person": "driver"}])
@pytest.mark.parametrize(
    ("substitutes", "setting"),
    [
        (MailboxSubstitutes(relay="*@relay.example"), "COUNTERSIGN_MRA_URL"),
        (MailboxSubstitutes(has_messaging=True), "COUNTERSIGN_SIGNATURE_RELAY"),
    ],
)
async def test_where_nothing_takes_the_place_of_a_mailbox_its_signer_is_refused_at_the_field(
    desk: Desk, signer: dict[str, Any], substitutes: MailboxSubstitutes, setting: str
) -> None:
    desk.directory.substitutes = substitutes
    [fault] = await faults(desk, signers=[signer])
    field = "phone" if "phone" in signer else "person"
    assert f"signers[0].{field}: has " in fault
    assert f"set {setting}, or give email" in fault
    assert "555" not in fault and "1234" not in fault


@pytest.mark.parametrize("field", ["signers", "reviewers"])
async def test_a_group_with_somebody_whom_nothing_reaches_is_refused_at_its_field(desk: Desk, field: str) -> None:
    changes: dict[str, Any] = {field: [{"group": "drivers"}]}
    drivers = DRIVER.replace("driver,", "driver, groups: [drivers],")
    (desk.folder / "people.yaml").write_text(PEOPLE + drivers)
    desk.directory.substitutes = NO_SUBSTITUTES
    [fault] = await faults(desk, **changes)
    assert f"{field}[0].group: driver of the group drivers has a number and no email" in fault
    assert "555" not in fault
    desk.directory.substitutes = SUBSTITUTES
    if field == "reviewers":
        assert (await desk.prepare(**changes)).request.brief.reviewers


async def test_one_number_signs_once(desk: Desk) -> None:
    [fault] = await faults(desk, signers=[WORKER, {**WORKER, "phone": NUMBER}])
    assert "signers[1].phone" in fault


async def test_whoever_has_neither_is_told_what_is_missing(desk: Desk) -> None:
    [fault] = await faults(desk, signers=[{"name": "Wor Ker", "zone": "UTC"}])
    assert "(email missing)" in fault
    with pytest.raises(FileFaults, match=r"people\[0\]\.phone: needs email or phone"):
        read(Path("people.yaml"), b"people:\n  - {id: driver, name: Driver, zone: UTC}\n")


def read_table(text: str) -> AudienceFile:
    return population.read(Path("staff.csv"), secret=SECRET, content=text.encode())


async def test_a_table_may_have_numbers_alone(desk: Desk) -> None:
    id = in_full(NUMBER)
    table = read_table(f"name,zone,phone\nWor Ker,UTC,{NUMBER}\n")
    assert [row.person for row in table.rows] == [id]
    rows = await population.add_positions(table.rows, table.people, desk.directory)
    assert [row.says for row in rows] == [""]
    desk.directory.substitutes = MailboxSubstitutes(has_messaging=True)
    [row] = await population.add_positions(table.rows, table.people, desk.directory)
    assert "no_relay" in row.says and NUMBER not in row.says
    directory_rows = population.of_people(["driver", "chair"]).rows
    refused = [bool(row.says) for row in await population.add_positions(directory_rows, {}, desk.directory)]
    assert refused == [True, False]
    [lacking] = read_table("name,email,zone,phone\nWor Ker,,UTC,\n").rows
    assert "email" in lacking.says


def test_a_relay_address_is_unguessable_and_the_same_each_time() -> None:
    [worker] = SignersFile.model_validate({"signers": {"p-1": WORKER}}).signers.values()
    addresses = {
        SUBSTITUTES.with_address(worker, name, secret).email
        for name in ("msa/p-1", "msa/p-1", "nda/p-1")
        for secret in (SECRET, SecretStr("another" * 8))
    }
    assert len(addresses) == 4
    assert all(address.startswith("sign+") and address.endswith("@relay.example") for address in addresses)
    assert id_of_address(NUMBER, SECRET)[2:] not in "".join(addresses)
