"""Whom the word for a position names in a command, such as `signer-2`: whoever the file names there."""

import pytest

from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status
from workflows.model.views import AssigneeLine, OnboardingShow, RequestShow, Shown, SignerLine, TaskShow

FIRST, SECOND, INSTEAD = "p-0123456789ab", "p-ba9876543210", "chair"
_STATES = ((FIRST, SignerState.REASSIGNED), (INSTEAD, SignerState.REASSIGNED), ("board", SignerState.TURN))


def signer(person: str, state: SignerState) -> SignerLine:
    return SignerLine(person=person, order=1, role=Role.SIGN, state=state)


@pytest.mark.parametrize(
    ("view", "people"),
    [
        (
            RequestShow(
                id="r",
                kind="nda",
                status=Status.SENT,
                signers=(
                    *(signer(*signer_arguments) for signer_arguments in _STATES),
                    signer(SECOND, SignerState.WAITING),
                ),
            ),
            (FIRST, SECOND),
        ),
        (
            TaskShow(
                id="t",
                kind="step",
                status=Status.OPEN,
                title="T",
                people=(AssigneeLine(person=FIRST, state="reassigned"), AssigneeLine(person=SECOND, state="asked")),
                colleagues=(SECOND, "p-000000000000"),
            ),
            (FIRST, SECOND, "p-000000000000"),
        ),
        (
            OnboardingShow(
                id="o", kind="onboarding", status=Status.OPEN, title="O", customer=FIRST, colleagues=(SECOND,)
            ),
            (FIRST, SECOND),
        ),
    ],
    ids=["whoever was asked instead has no position", "colleagues stand behind who is asked", "a customer's people"],
)
def test_a_position_is_that_of_the_file(view: Shown, people: tuple[str, ...]) -> None:
    assert view.people_in_file == people
