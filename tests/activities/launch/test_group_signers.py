"""`group` of a signer in a request file: any one of it signs."""

from pathlib import Path
from typing import Any

import pytest

from activities.launch.request_file import MEMBERS_AT_MOST
from activities.people.mailbox import MailboxSubstitutes
from tests.activities.launch.papers import PEOPLE, Desk, faults
from workflows.model.subject import Participant

LEGAL = """\
  - {id: eve, name: Eve, email: eve@example.com, zone: UTC, groups: [legal]}
  - id: sam
    name: Sam
    email: sam@example.com
    zone: UTC
    groups: [legal]
    absent: [{from: 2026-11-01, until: 2026-11-09}]
  - {id: kim, name: Kim, email: kim@example.com, zone: UTC, groups: [legal]}
  - {id: lee, name: Lee, email: Kim@example.com, zone: UTC, groups: [legal]}
"""
CHIEF = {"person": "chief-executive", "order": 2}


@pytest.fixture
def office(tmp_path: Path) -> Desk:
    return Desk(tmp_path, PEOPLE + LEGAL)


def make_crowd(size: int) -> str:
    return "".join(
        f"  - {{id: m{number}, name: M, email: m{number}@example.com, zone: UTC, groups: [crowd]}}\n"
        for number in range(size)
    )


async def test_all_of_a_group_who_are_there_are_asked_in_one_place(office: Desk) -> None:
    """One of two with the same address, and nobody who is away."""
    prepared = await office.prepare(signers=[{"group": "legal"}, CHIEF])
    assert prepared.request.brief.people == (
        Participant(person="eve", order=1, team="legal"),
        Participant(person="kim", order=1, team="legal", beside=True),
        Participant(person="chief-executive", order=2),
    )
    assert [signer.person for signer in prepared.request.brief.at_core.people] == ["eve", "chief-executive"]
    assert prepared.signers is None


async def test_whoever_signs_by_another_entry_is_left_out_of_the_group(office: Desk) -> None:
    prepared = await office.prepare(signers=[{"group": "legal"}, {"person": "eve"}])
    assert [(signer.person, signer.order) for signer in prepared.request.brief.people] == [("kim", 1), ("eve", 2)]


async def test_a_group_of_which_everybody_is_away_is_asked_in_full(office: Desk) -> None:
    (office.folder / "people.yaml").write_text(
        PEOPLE + "  - {id: sam, name: Sam, email: s@example.com, zone: UTC, groups: [legal], "
        "absent: [{from: 2026-11-01, until: 2026-11-09}]}\n"
    )
    assert [signer.person for signer in (await office.prepare(signers=[{"group": "legal"}])).request.brief.people] == [
        "sam"
    ]


@pytest.mark.parametrize(
    ("signers", "message"),
    [
        ([{"group": "nobody"}], "signers[0].group: "),
        ([{"group": 7}], "signers[0].group: must be"),
        ([{"group": "legal"}, {"group": "legal"}], "signers[1].group: the group legal is among the signers already"),
        ([CHIEF, {"group": "legal", "role": "copy"}], "signers[1].group: is for a group, which signs or approves"),
        ([{"group": "legal", "verify": "phone"}], "signers[0].verify: is for one person, not for a group"),
        ([{"group": "legal", "person": "eve"}], "signers[0]: has group and person: either group, person"),
        ([{"group": "directors"}, {"person": "chief-executive"}], "signers[0].group: in the group directors is nobody"),
        ([{"group": "drivers"}], "signers[0].group: has driver, who has no email"),
    ],
)
async def test_what_is_no_group_of_signers_is_refused_at_its_field(
    office: Desk, signers: list[dict[str, Any]], message: str
) -> None:
    driver = '  - {id: driver, name: Driver, phone: "+31 20 5550100", zone: UTC, groups: [drivers]}\n'
    (office.folder / "people.yaml").write_text(PEOPLE + LEGAL + driver)
    office.directory.substitutes = MailboxSubstitutes(has_messaging=True)
    refused = await faults(office, signers=signers)
    assert any(message in fault for fault in refused), refused


@pytest.mark.parametrize("identity", ["code", "sign-in"])
async def test_a_kind_that_asks_who_signs_has_no_groups(office: Desk, identity: str) -> None:
    refused = await faults(office, signers=[{"group": "legal"}], policy={"identity": identity})
    assert [fault.partition(": ")[2] for fault in refused] == [
        "signers[0].group: does not go with customer-contract, which asks who signs: "
        "a group's place passes from one to another"
    ]


async def test_the_largest_group_is_asked_and_one_of_ten_times_as_many_is_refused(office: Desk) -> None:
    for size in (MEMBERS_AT_MOST, MEMBERS_AT_MOST + 1, 10 * MEMBERS_AT_MOST):
        (office.folder / "people.yaml").write_text(PEOPLE + make_crowd(size))
        signers = [{"group": "crowd"}]
        if size == MEMBERS_AT_MOST:
            assert len((await office.prepare(signers=signers)).request.brief.people) == size
        else:
            [refused] = await faults(office, signers=signers)
            assert f"signers[0].group: the group crowd has {size} people" in refused, refused
