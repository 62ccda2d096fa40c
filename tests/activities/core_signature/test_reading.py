"""From the provider's words to what a workflow believes, without a network."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.core_signature.reading import LONGEST_REASON, STATUSES, clean, match, seen
from activities.core_signature.wire import WireDocument, WireSigner
from tests.activities.core_signature.requests import brief
from workflows.model.request import Code, Role, Signer, SignerState, Status

EMAILS = {"customer-signer": "customer@acme.test", "chief-executive": "ceo@example.test"}
AT = "2026-11-25T10:00:00Z"


def said(email: str, order: int = 1, **more: Any) -> dict[str, Any]:
    """A signer as the provider tells it."""
    return {"email": email, "order": order, **more}


def document(*signers: dict[str, Any], status: str = "se") -> WireDocument:
    """A document of the provider; the sender stands first."""
    sender = {"email": "legal-desk@acme.test", "order": 0, "needs_to_sign": False}
    request = {"uuid": "r1", "signers": [sender, *signers]}
    return WireDocument.model_validate({"uuid": "d1", "status": status, "signrequest": request})


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        ("co", Status.CONVERTING, None),
        ("ne", Status.CONVERTING, None),
        ("se", Status.SENT, None),
        ("vi", Status.VIEWED, None),
        ("do", Status.VIEWED, None),
        ("si", Status.SIGNED, None),
        ("sd", Status.SIGNED, None),
        ("de", Status.DECLINED, None),
        ("ca", Status.CANCELLED, None),
        ("xp", Status.EXPIRED, None),
        ("ec", Status.FAILED, Code.CONVERT_ERROR),
        ("es", Status.FAILED, Code.SENDING_ERROR),
        ("zz", None, None),
    ],
)
def test_every_code_of_a_document(raw: str, status: Status | None, code: Code | None) -> None:
    read = seen(document(status=raw), brief(), EMAILS)
    assert (read.status, read.code, read.raw) == (status, code, raw)


@pytest.mark.parametrize(
    ("signer", "state", "at", "reason"),
    [
        ({}, SignerState.WAITING, None, None),
        ({"viewed": True}, SignerState.VIEWED, None, None),
        ({"viewed": True, "signed": True, "signed_on": AT}, SignerState.SIGNED, AT, None),
        ({"declined": True, "declined_on": AT, "message": "No."}, SignerState.DECLINED, AT, "No."),
        ({"forwarded": True, "forwarded_on": AT}, SignerState.REASSIGNED, AT, None),
        ({"signed": True, "signed_on": "2026-11-25T10:00:00"}, SignerState.SIGNED, AT, None),
    ],
)
def test_every_state_of_a_signer(
    signer: dict[str, Any], state: SignerState, at: str | None, reason: str | None
) -> None:
    [first, _] = seen(document(said("customer@acme.test", **signer)), brief(), EMAILS).signers
    assert (first.state, first.reason) == (state, reason)
    assert first.at == (datetime(2026, 11, 25, 10, tzinfo=UTC) if at else None)


def test_an_approver_approves() -> None:
    [_, second] = seen(document(said("ceo@example.test", 2, signed=True)), brief(), EMAILS).signers
    assert second.state is SignerState.APPROVED


@given(st.permutations([said("customer@acme.test", 1, viewed=True), said("CEO@Example.test ", 2, signed=True)]))
def test_signers_are_matched_by_address_wherever_they_stand(signers: list[dict[str, Any]]) -> None:
    states = [one.state for one in seen(document(*signers), brief(), EMAILS).signers]
    assert states == [SignerState.VIEWED, SignerState.APPROVED]


def test_a_sender_who_also_signs_is_the_entry_that_signs() -> None:
    request = {"uuid": "r1", "signers": [said("ceo@example.test", 2, signed=True), said("ceo@example.test", 0)]}
    request["signers"][1]["needs_to_sign"] = False  # type: ignore[index]
    read = WireDocument.model_validate({"uuid": "d1", "status": "se", "signrequest": request})
    assert seen(read, brief(), EMAILS).signers[1].state is SignerState.APPROVED


def test_who_changed_their_address_is_found_by_order_if_only_one_can_be_meant() -> None:
    changed = {**EMAILS, "customer-signer": "new@acme.test"}
    signers = document(said("customer@acme.test", 1, signed=True), said("ceo@example.test", 2)).request
    assert signers is not None
    found = match(brief().signers, changed, signers.signers)["customer-signer"]
    assert found is not None
    assert found.signed


def test_of_two_in_parallel_with_new_addresses_neither_is_guessed() -> None:
    parallel = brief(signers=(Signer(person="one", order=1), Signer(person="two", order=1)))
    signers = [WireSigner(email="a@x.test", order=1, signed=True), WireSigner(email="b@x.test", order=1)]
    assert match(parallel.signers, {}, signers) == {"one": None, "two": None}


def test_who_was_replaced_back_and_forth_is_the_last_entry() -> None:
    back = [said("customer@acme.test", 1, forwarded=True), said("b@x.test", 1, forwarded=True)]
    read = seen(document(*back, said("customer@acme.test", 1, viewed=True)), brief(), EMAILS)
    assert read.signers[0].state is SignerState.VIEWED


def test_who_forwarded_it_to_a_stranger_by_themselves_is_told_so_and_the_stranger_has_the_turn() -> None:
    gone = said("customer@acme.test", 1, forwarded=True, forwarded_on=AT, forwarded_to_email="partner@acme.test")
    waiting = seen(document(gone, said("ceo@example.test", 2), said("partner@acme.test", 1)), brief(), EMAILS)
    assert [(one.state, one.reason) for one in waiting.signers] == [
        (SignerState.REASSIGNED, "forwarded"),
        (SignerState.WAITING, None),
    ]
    assert waiting.turn == 1
    signed = document(gone, said("ceo@example.test", 2), said("partner@acme.test", 1, signed=True))
    assert seen(signed, brief(), EMAILS).turn == 2


def test_who_handed_over_to_one_of_ours_needs_no_explanation() -> None:
    both = brief(signers=(Signer(person="customer-signer", order=1), Signer(person="deputy", order=1)))
    emails = {"customer-signer": "customer@acme.test", "deputy": "deputy@acme.test"}
    gone = said("customer@acme.test", 1, forwarded=True, forwarded_to_email="Deputy@acme.test")
    read = seen(document(gone, said("deputy@acme.test", 1, viewed=True)), both, emails)
    assert [(one.state, one.reason) for one in read.signers] == [
        (SignerState.REASSIGNED, None),
        (SignerState.VIEWED, None),
    ]


def test_who_was_replaced_is_told_so_even_by_a_provider_that_forgets_them() -> None:
    both = brief(signers=(Signer(person="absent", order=1), Signer(person="customer-signer", order=1)))
    emails = {"absent": "absent@acme.test", **EMAILS}
    read = seen(document(said("customer@acme.test", 1)), both, emails, replaced={"absent": "absence"})
    assert [(one.state, one.reason) for one in read.signers] == [
        (SignerState.REASSIGNED, "absence"),
        (SignerState.WAITING, None),
    ]


def test_who_signed_before_they_were_replaced_has_signed() -> None:
    read = seen(
        document(said("customer@acme.test", 1, signed=True)), brief(), EMAILS, replaced={"customer-signer": "manual"}
    )
    assert read.signers[0].state is SignerState.SIGNED


def test_a_stand_in_who_changed_their_address_is_not_taken_for_the_absent_one() -> None:
    both = brief(signers=(Signer(person="absent", order=1), Signer(person="stand-in", order=1)))
    emails = {"absent": "absent@acme.test", "stand-in": "new@acme.test"}
    read = seen(document(said("old@acme.test", 1, signed=True)), both, emails)
    assert [one.state for one in read.signers] == [SignerState.WAITING, SignerState.SIGNED]


@pytest.mark.parametrize(
    ("entries", "status", "turn"),
    [
        ([said("customer@acme.test", 1), said("ceo@example.test", 2)], "se", 1),
        ([said("customer@acme.test", 1, signed=True), said("ceo@example.test", 2)], "vi", 2),
        ([said("ceo@example.test", 2), said("archive@acme.test", 1, needs_to_sign=False)], "se", 2),
        ([said("customer@acme.test", 1, signed=True), said("ceo@example.test", 2, signed=True)], "vi", None),
        ([said("customer@acme.test", 1)], "ca", None),
        ([], "co", None),
    ],
)
def test_the_turn_is_the_lowest_order_that_is_open(
    entries: list[dict[str, Any]], status: str, turn: int | None
) -> None:
    assert seen(document(*entries, status=status), brief(), EMAILS).turn == turn


def test_a_bounce_yields_to_any_sign_of_life() -> None:
    bounced = frozenset({"customer@acme.test"})
    assert (
        seen(document(said("customer@acme.test")), brief(), EMAILS, bounced=bounced).signers[0].state
        is SignerState.BOUNCED
    )
    viewed = seen(document(said("customer@acme.test", viewed=True)), brief(), EMAILS, bounced=bounced)
    assert viewed.signers[0].state is SignerState.VIEWED


def test_a_document_without_a_request_has_waiting_signers() -> None:
    read = WireDocument.model_validate({"uuid": "d1", "status": "co", "signrequest": None})
    assert {one.state for one in seen(read, brief(), EMAILS).signers} == {SignerState.WAITING}


def test_a_copy_is_copied_when_all_is_signed() -> None:
    copied = brief(signers=(Signer(person="archive", order=1, role=Role.COPY),))
    assert seen(document(status="vi"), copied, {}).signers[0].state is SignerState.WAITING
    assert seen(document(status="si"), copied, {}).signers[0].state is SignerState.COPIED


@given(st.text())
def test_a_reason_is_one_short_printable_line(text: str) -> None:
    reason = clean(text)
    assert reason is None or (len(reason) <= LONGEST_REASON and reason == reason.strip())
    assert not any(ord(char) < 32 or char == "\u202e" for char in reason or "")


def test_every_status_has_a_meaning_once() -> None:
    assert set(STATUSES.values()) == set(Status)
