"""`verify` of a signer in a request file."""

from pathlib import Path
from typing import Any

import pytest

from tests.activities.launch.papers import PEOPLE, Desk, faults
from workflows.model.subject import Verify

IN_FULL = {"name": "Ada", "email": "ada@example.org", "zone": "UTC"}


@pytest.fixture
def office(tmp_path: Path) -> Desk:
    return Desk(
        tmp_path, PEOPLE.replace("email: chair@example.com", 'email: chair@example.com, phone: "+31 20 5550100"')
    )


async def test_signers_are_verified_as_the_file_says(office: Desk) -> None:
    entries = [
        {"person": "chair", "verify": "phone"},
        {"person": "chief-executive", "verify": "password"},
        {**IN_FULL, "phone": "+31 20 5550101", "verify": "phone"},
        {"person": "customer-signer"},
    ]
    prepared = await office.prepare(signers=entries)
    assert [signer.verify for signer in prepared.request.brief.people] == [
        Verify.PHONE,
        Verify.PASSWORD,
        Verify.PHONE,
        None,
    ]
    plain = await office.prepare(signers=[{key: entry[key] for key in entry if key != "verify"} for entry in entries])
    assert plain.request.fingerprint != prepared.request.fingerprint


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"person": "chief-executive", "verify": "phone"}, "verify: needs the phone number of the signer"),
        ({**IN_FULL, "verify": "phone"}, "verify: needs the phone number of the signer"),
        ({"person": "chair", "role": "copy", "verify": "password"}, "verify: is for those who sign or approve"),
        ({"person": "chair", "verify": "sms"}, "verify: must be"),
    ],
)
async def test_what_cannot_be_verified_is_refused_at_its_field(
    office: Desk, entry: dict[str, Any], message: str
) -> None:
    refused = await faults(office, signers=[{"person": "customer-signer"}, entry])
    assert any(f"signers[1].{message}" in fault for fault in refused), refused
