"""What a signer's page shows by our own knowledge: each state of a signer, and what nobody says."""

import pytest

from activities.core_signature.signing_page import SigningPage, SigningState
from starter.web.screens.status import signing_page_of_view
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status
from workflows.model.views import RequestShow, SignerLine

STATES = {
    SignerState.WAITING: SigningState.EARLY,
    SignerState.TURN: SigningState.OPEN,
    SignerState.VIEWED: SigningState.OPEN,
    SignerState.BOUNCED: SigningState.OPEN,
    SignerState.SIGNED: SigningState.ACTED,
    SignerState.APPROVED: SigningState.ACTED,
    SignerState.DECLINED: SigningState.ACTED,
    SignerState.COPIED: SigningState.ACTED,
    SignerState.REASSIGNED: SigningState.HANDED_OVER,
}
"""The others are of reviewers, who have a page of their own."""


def make_view(*states: SignerState, status: Status = Status.SENT, partial: bool = False) -> RequestShow:
    lines = (SignerLine(person="chair", order=1, role=Role.SIGN, state=state) for state in states)
    return RequestShow(id="msa", kind="nda", document="MSA", status=status, signers=tuple(lines), partial=partial)


@pytest.mark.parametrize("state", sorted(STATES))
def test_each_state_of_a_signer_has_its_page(state: SignerState) -> None:
    assert signing_page_of_view(make_view(state), "chair") == SigningPage(STATES[state], "MSA")


def test_who_is_asked_again_after_a_hand_over_can_sign() -> None:
    assert signing_page_of_view(make_view(SignerState.REASSIGNED, SignerState.TURN), "chair").state is SigningState.OPEN


def test_what_nobody_answers_for_keeps_no_one_from_trying() -> None:
    assert signing_page_of_view(None, "chair") == SigningPage(SigningState.OPEN)
    for status in (Status.CONVERTING, Status.SENT):
        for states in ((), (SignerState.WAITING,), (SignerState.SIGNED,)):
            view = make_view(*states, status=status, partial=True)
            assert signing_page_of_view(view, "chair") == SigningPage(SigningState.OPEN, "MSA")


def test_what_is_being_prepared_as_far_as_we_know_may_be_further() -> None:
    assert signing_page_of_view(make_view(status=Status.CONVERTING), "chair") == SigningPage(SigningState.OPEN, "MSA")


def test_what_is_known_of_the_request_itself_comes_first() -> None:
    assert signing_page_of_view(make_view(), "chair").state is SigningState.STRANGER
    for partial in (False, True):
        signing_page = signing_page_of_view(
            make_view(SignerState.TURN, status=Status.EXPIRED, partial=partial), "chair"
        )
        assert signing_page == SigningPage(SigningState.ENDED, outcome=Status.EXPIRED)
