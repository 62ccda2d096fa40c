"""`identity` of a kind: whom a plan with it refuses."""

from pathlib import Path
from typing import Any

import pytest

from activities.files.reading import FileFaults
from activities.people.mailbox import NO_SUBSTITUTES, MailboxSubstitutes
from activities.people.person import Person, PushDevice
from activities.people.ways import code_channel
from activities.policies.catalogue import Catalogue
from tests.activities.launch.papers import PEOPLE, Desk, faults
from workflows.model.notifications import Channel
from workflows.model.subject import Identity

PHONE = 'phone: "+31 20 5550100"'
DEVICE = PushDevice.model_validate({"token": "a~1", "platform": "android"})
IN_FULL = {"name": "Ada", "email": "ada@example.org", "zone": "UTC"}


@pytest.fixture
def office(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path, PEOPLE.replace("email: chair@example.com", f"email: chair@example.com, {PHONE}"))
    desk.directory.substitutes = MailboxSubstitutes(has_messaging=True)
    return desk


@pytest.mark.parametrize(
    ("device", "phone", "has_messaging", "channel"),
    [
        (True, False, True, Channel.MAIL),
        (True, True, True, Channel.SMS),
        (False, True, True, Channel.SMS),
        (False, False, True, None),
        (True, True, False, None),
        (False, False, False, None),
    ],
)
def test_a_code_never_comes_by_the_channel_of_the_notice(
    device: bool, phone: bool, has_messaging: bool, channel: Channel | None
) -> None:
    person = Person(
        id="ada", name="Ada", email="ada@example.org", zone="UTC", phone="+31 20 5550100" if phone else None
    )
    assert code_channel(person, [DEVICE] if device else [], has_messaging=has_messaging) is channel


async def test_a_plan_without_a_second_channel_is_refused_with_the_persons_name(office: Desk) -> None:
    policy = {"identity": "code"}
    in_full = {**IN_FULL, "phone": "+31 20 5550101"}
    signers: list[dict[str, Any]] = [{"person": "chair"}, {"person": "chief-executive"}, in_full]
    prepared = await office.prepare(signers=signers, policy=policy)
    brief = prepared.request.brief
    assert (brief.identity, brief.in_person, prepared.request.policy.identity) == (Identity.CODE, True, Identity.CODE)
    refused = await faults(office, signers=[*signers[:2], {"person": "customer-signer"}, IN_FULL], policy=policy)
    assert [fault.partition(" for the code")[0].partition(": ")[2] for fault in refused] == [
        "signers[2]: customer-signer has no second channel",
        "signers[3]: signer-4 has no second channel",
    ]
    copies = [{"person": "chair"}, {"person": "customer-signer", "role": "copy"}]
    assert (await office.prepare(signers=copies, policy=policy)).request.brief.identity is Identity.CODE
    office.directory.substitutes = NO_SUBSTITUTES
    assert len(await faults(office, signers=signers, policy=policy)) == 3


async def test_who_signs_in_at_the_desk_is_of_the_directory(office: Desk) -> None:
    policy = {"identity": "sign-in"}
    assert (await office.prepare(policy=policy)).request.brief.identity is Identity.SIGN_IN
    [fault] = await faults(office, signers=[{"person": "chair"}, IN_FULL], policy=policy)
    assert "signers[1]: customer-contract asks signers to sign in at the desk" in fault


@pytest.mark.parametrize(
    ("demanded", "written", "is_refused"),
    [
        ("code", "link", True),
        ("code", None, True),
        ("sign-in", "code", True),
        ("code", "code", False),
        ("code", "sign-in", False),
        ("link", "code", False),
    ],
)
async def test_a_request_asks_no_less_than_its_kind(
    office: Desk, demanded: str, written: str | None, is_refused: bool
) -> None:
    kinds = f"kinds:\n  base: {{identity: {demanded}}}\n  customer-contract: {{extends: base}}\n"
    (office.folder / "catalogue.yaml").write_text(kinds)
    office.catalogue = Catalogue.read(office.folder / "catalogue.yaml")
    fields: dict[str, Any] = {"signers": [{"person": "chair"}], "policy": {"identity": written}}
    if is_refused:
        [fault] = await faults(office, **fields)
        assert f"policy.identity: is weaker than {demanded}, which customer-contract asks for" in fault
    else:
        assert (await office.prepare(**fields)).request.policy.identity == written


def test_a_catalogue_refuses_what_does_not_go_with_it(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.yaml"
    file.write_text("kinds:\n  nda: {identity: code, self_delegate: true}\n")
    with pytest.raises(FileFaults, match="self_delegate: does not go with identity: code"):
        Catalogue.read(file)
    file.write_text("kinds:\n  nda: {identity: sms}\n")
    with pytest.raises(FileFaults, match="identity: must be"):
        Catalogue.read(file)
