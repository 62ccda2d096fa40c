"""A word such as `signer-2` in a command stands for the person at that position of the file."""

import pytest

from starter.queries import lookup
from workflows.model.subject import Status
from workflows.model.views import OnboardingShow

ONBOARDING = OnboardingShow(
    id="acme",
    kind="customer-onboarding",
    title="Acme",
    requester="account-executive",
    customer="p-000000000001",
    colleagues=("p-000000000002",),
    status=Status.OPEN,
)


@pytest.mark.parametrize(
    ("position", "person"),
    [
        ("signer-1", "p-000000000001"),
        ("signer-2", "p-000000000002"),
        ("signer-3", "signer-3"),
        ("signer-0", "signer-0"),
        ("customer-signer", "customer-signer"),
    ],
)
def test_a_position_stands_for_the_person_whom_the_file_names_there(position: str, person: str) -> None:
    assert lookup.resolve_position(ONBOARDING, position) == person
