"""The policy of a request: what cannot work about it is told at its field and line, with all other faults."""

from typing import Any

import pytest

from activities.policies.catalogue import Catalogue
from tests.activities.launch.papers import PEOPLE, Desk, faults

HANDOFF = {"handoff": [{"target": "hr", "person": "hr-desk"}]}


def let_the_catalogue_be(desk: Desk, text: str) -> None:
    (desk.folder / "catalogue.yaml").write_text(text, "utf-8")
    desk.catalogue = Catalogue.read(desk.folder / "catalogue.yaml")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"policy": {"windo": "3d"}}, "policy.windo: unknown, did you mean window?"),
        ({"policy": {"escalation": {"after": None, "or": None}}}, "policy.escalation: needs after or or"),
        (
            {"policy": {"escalation": {"alternates": ["chair", "legal-desk"]}}},
            "policy.escalation.alternates: legal-desk asks for it and cannot be the alternate",
        ),
        (
            {"policy": {"escalation": {"to": ["alternates"], "alternates": ["chief-executive"]}}},
            "policy.escalation.alternates: ask for it or are asked themselves, and nobody else is to be asked",
        ),
        (
            {"due": "2026-11-10", "policy": {"reminders": {"most": 4}}},
            "policy.reminders: the last of 4 comes after 12 days, but the due date after",
        ),
        (
            {"policy": {"escalation": {"to": ["alternates"], "alternates": []}}},
            "policy.escalation: has nobody to escalate to: name alternates or a fallback",
        ),
        (
            {"policy": {"expires": False}},
            "policy.expires: a request closes some day; grace says how long after its due date",
        ),
        (
            {"policy": {"handoff": [{"target": "hr", "person": "chair", "personal": True}]}},
            "policy.handoff[0].personal: goes with url only",
        ),
    ],
)
async def test_a_policy_that_cannot_work(desk: Desk, changes: dict[str, Any], fault: str) -> None:
    messages = await faults(desk, **changes)
    assert len(messages) == 1
    assert fault in messages[0]


async def test_strangers_are_told_at_their_line(desk: Desk) -> None:
    policy = {
        "escalation": {"alternates": ["chair", "nobody"], "fallback": "chiar"},
        "handoff": [{"target": "hr", "group": "hr"}, {"target": "legal", "person": "legal-dsk"}],
    }
    assert await faults(desk, policy=policy) == [
        'request.yaml:16: policy.escalation.alternates[1]: "nobody" is not in people.yaml',
        'request.yaml:17: policy.escalation.fallback: "chiar" is not in people.yaml, did you mean chair?',
        'request.yaml:20: policy.handoff[0].group: the group "hr" is not in people.yaml',
        'request.yaml:22: policy.handoff[1].person: "legal-dsk" is not in people.yaml, did you mean legal-desk?',
    ]


async def test_strangers_of_the_catalogue_are_told_at_the_kind(desk: Desk) -> None:
    let_the_catalogue_be(
        desk,
        "kinds:\n  base: {handoff: [{target: legal, person: legal-dsk}]}\n"
        "  customer-contract: {extends: base, escalation: {fallback: nobody}}\n",
    )
    prefix = "request.yaml:2: kind: customer-contract cannot be used: "
    assert await faults(desk) == [
        f'{prefix}escalation.fallback: "nobody" is not in people.yaml',
        f'{prefix}handoff[0].person of base: "legal-dsk" is not in people.yaml, did you mean legal-desk?',
    ]
    assert await faults(desk, policy={"warnings": ["1d"]}) == await faults(desk)


async def test_alternates_of_the_catalogue_who_all_sign_are_told_at_the_kind(desk: Desk) -> None:
    let_the_catalogue_be(
        desk, "kinds:\n  customer-contract: {escalation: {to: [alternates], alternates: [chief-executive]}}\n"
    )
    assert await faults(desk) == [
        "request.yaml:2: kind: customer-contract cannot be used: escalation.alternates: "
        "ask for it or are asked themselves, and nobody else is to be asked"
    ]


async def test_a_changed_people_file_counts_at_once(desk: Desk) -> None:
    assert '"hr-desk" is not in people.yaml' in (await faults(desk, policy=HANDOFF))[0]
    hr_desk = "  - {id: hr-desk, name: HR, email: hr@example.com, zone: UTC}\n"
    (desk.folder / "people.yaml").write_text(PEOPLE + hr_desk, "utf-8")
    assert (await desk.prepare(policy=HANDOFF)).request.policy.handoff[0].person == "hr-desk"


async def test_faults_of_fields_and_of_the_policy_come_at_once(desk: Desk) -> None:
    text = """\
kind: customer-contract
mesage: Please sign
document: {file: other.pdf}
requester: nobody
signers: []
subscribers: [x, x]
policy:
  window: 5d
  reminders: {first: 6d}
  escalation: {alternates: [somebody]}
"""
    assert await faults(desk, text) == [
        "request.yaml:2: mesage: unknown, did you mean message?",
        "request.yaml:3: document.file: other.pdf is not a file in the folder of this file",
        'request.yaml:4: requester: "nobody" is not in people.yaml',
        "request.yaml:5: signers: needs at least 1",
        "request.yaml:6: subscribers[1]: x is given twice",
        "request.yaml:9: policy.reminders: the last of 4 comes after 15 days, but the due date after 5 days",
        'request.yaml:10: policy.escalation.alternates[0]: "somebody" is not in people.yaml',
    ]


async def test_several_warnings_that_are_too_early_are_all_told(desk: Desk) -> None:
    messages = await faults(desk, due=None, policy={"window": "2d", "warnings": ["1w", "3d", "1d"]})
    assert [fault.partition("policy.warnings: ")[2].partition(" before")[0] for fault in messages] == [
        "1 week",
        "3 days",
    ]


@pytest.mark.parametrize("policy", [{"window": "9 days"}, {"handoff": [{}]}])
async def test_of_a_faulty_policy_only_its_faults_are_told(desk: Desk, policy: dict[str, Any]) -> None:
    assert all(": policy." in fault for fault in await faults(desk, policy=policy))


async def test_whoever_is_told_of_the_ending_is_told_by_one_name_only(desk: Desk) -> None:
    policy = {"handoff": [{"target": "onboarding", "person": "chair"}]}
    assert await faults(desk, policy=policy, subscribers=["onboarding", "a", "a", "b"]) == [
        "request.yaml:17: subscribers[0]: onboarding is the name of a target of the hand-off too; "
        "give that one another name",
        "request.yaml:19: subscribers[2]: a is given twice",
    ]


async def test_a_subscriber_is_no_target_of_the_catalogue_either(desk: Desk) -> None:
    let_the_catalogue_be(desk, "kinds:\n  customer-contract: {handoff: [{target: hr, person: chair}]}\n")
    [fault] = await faults(desk, subscribers=["hr"])
    assert "subscribers[0]: hr is the name of a target" in fault
    assert (await desk.prepare(subscribers=["hr"], policy={"handoff": None})).request.subscribers == ("hr",)
