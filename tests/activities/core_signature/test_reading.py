"""From the provider's words to what a workflow believes, without a network."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.core_signature.documents import (
    LONGEST_REASON,
    STATUSES,
    clean,
    document_seen,
    signers_not_told,
    signers_of,
)
from activities.core_signature.signers import SignerSnapshot, match
from activities.core_signature.wire import WireDocument, WireSigner
from tests.activities.core_signature.requests import brief
from workflows.model.signature import SignerState
from workflows.model.subject import Code, Participant, Role, Status

EMAILS = {"customer-signer": "customer@acme.test", "chief-executive": "ceo@example.test"}
AT = "2026-11-25T10:00:00Z"


def make_snapshots(emails: Mapping[str, str], **instead_of: str) -> tuple[SignerSnapshot, ...]:
    """What was sent: to whom at which address, and in whose place."""
    return tuple(
        SignerSnapshot(person=person, order=1, role=Role.SIGN, email=email, instead_of=instead_of.get(person))
        for person, email in emails.items()
    )


PLACES = make_snapshots(EMAILS)


def make_wire_signer(email: str, order: int = 1, **fields: Any) -> dict[str, Any]:
    """A signer as the provider tells it."""
    return {"email": email, "order": order, **fields}


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
    read = document_seen(document(status=raw), brief(), PLACES)
    assert (read.status, read.code, read.raw) == (status, code, raw)


@pytest.mark.parametrize(
    ("signer", "state", "acted_at", "reason"),
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
    signer: dict[str, Any], state: SignerState, acted_at: str | None, reason: str | None
) -> None:
    [first, _] = document_seen(document(make_wire_signer("customer@acme.test", **signer)), brief(), PLACES).signers
    assert (first.state, first.reason) == (state, reason)
    assert first.at == (datetime(2026, 11, 25, 10, tzinfo=UTC) if acted_at else None)


def test_an_approver_approves() -> None:
    [_, second] = document_seen(document(make_wire_signer("ceo@example.test", 2, signed=True)), brief(), PLACES).signers
    assert second.state is SignerState.APPROVED


@given(
    st.permutations(
        [make_wire_signer("customer@acme.test", 1, viewed=True), make_wire_signer("CEO@Example.test ", 2, signed=True)]
    )
)
def test_signers_are_matched_by_address_wherever_they_stand(signers: list[dict[str, Any]]) -> None:
    states = [signer.state for signer in document_seen(document(*signers), brief(), PLACES).signers]
    assert states == [SignerState.VIEWED, SignerState.APPROVED]


def test_a_sender_who_also_signs_is_the_entry_that_signs() -> None:
    request = {
        "uuid": "r1",
        "signers": [make_wire_signer("ceo@example.test", 2, signed=True), make_wire_signer("ceo@example.test", 0)],
    }
    request["signers"][1]["needs_to_sign"] = False  # type: ignore[index]
    read = WireDocument.model_validate({"uuid": "d1", "status": "se", "signrequest": request})
    assert document_seen(read, brief(), PLACES).signers[1].state is SignerState.APPROVED


def test_whose_address_the_provider_changed_is_found_by_order_if_only_one_can_be_meant() -> None:
    changed = {**EMAILS, "customer-signer": "new@acme.test"}
    signers = signers_of(
        document(make_wire_signer("customer@acme.test", 1, signed=True), make_wire_signer("ceo@example.test", 2))
    )
    matched_signer = match(brief().people, make_snapshots(changed), signers)["customer-signer"]
    assert matched_signer is not None
    assert matched_signer.signed


def test_of_two_in_parallel_with_other_addresses_neither_is_guessed() -> None:
    parallel = brief(people=(Participant(person="one", order=1), Participant(person="two", order=1)))
    signers = [WireSigner(email="a@x.test", order=1, signed=True), WireSigner(email="b@x.test", order=1)]
    assert match(parallel.people, (), signers) == {"one": None, "two": None}


def test_the_sender_whom_the_provider_adds_is_never_taken_for_somebody_who_was_to_get_a_copy() -> None:
    """A document that was sent by hand may have a copy without an order, as the sender is without one."""
    copied = brief(people=(Participant(person="one", order=1), Participant(person="archive", order=0, role=Role.COPY)))
    sender = WireSigner(email="legal-desk@acme.test", order=0, needs_to_sign=False)
    signer = WireSigner(email="a@x.test", order=1)
    assert match(copied.people, (), [sender, signer]) == {"one": signer, "archive": None}


def test_a_signing_page_s_user_tells_whose_entry_it_is_when_the_address_does_not() -> None:
    parallel = brief(people=(Participant(person="one", order=1), Participant(person="two", order=1)))
    places = [
        SignerSnapshot(person=person, order=1, role=Role.SIGN, email=f"{person}@x.test", embed_user=f"user-{person}")
        for person in ("one", "two")
    ]
    signers = [
        WireSigner(email="b@x.test", order=1, embed_url_user_id="user-two", signed=True),
        WireSigner(email="a@x.test", order=1, embed_url_user_id="user-one"),
    ]
    matches = match(parallel.people, places, signers)
    assert {person: signer.email if signer else None for person, signer in matches.items()} == {
        "one": "a@x.test",
        "two": "b@x.test",
    }


@pytest.mark.parametrize(
    ("status", "signers", "lost"),
    [
        ("si", [make_wire_signer("a@x.test", signed=True), make_wire_signer("b@x.test", signed=True)], ("one", "two")),
        ("de", [make_wire_signer("a@x.test", declined=True), make_wire_signer("two@x.test")], ()),
        ("ca", [make_wire_signer("a@x.test"), make_wire_signer("b@x.test")], ("one", "two")),
        ("si", [], ("one", "two")),
        ("vi", [make_wire_signer("a@x.test", signed=True), make_wire_signer("b@x.test")], ()),
        ("es", [make_wire_signer("a@x.test"), make_wire_signer("b@x.test")], ()),
    ],
    ids=["signed", "one can be told by order", "cancelled", "no signers", "not over", "never sent"],
)
def test_of_whom_an_ended_document_does_not_tell(
    status: str, signers: list[dict[str, Any]], lost: tuple[str, ...]
) -> None:
    parallel = brief(
        people=(
            Participant(person="one", order=1),
            Participant(person="two", order=1),
            Participant(person="archive", order=2, role=Role.COPY),
        )
    )
    places = make_snapshots({"one": "one@x.test", "two": "two@x.test", "archive": "archive@x.test"})
    assert signers_not_told(document(*signers, status=status), parallel, places) == lost


@pytest.mark.parametrize(("status", "lost"), [("si", ("customer-signer", "chief-executive")), ("ca", ()), ("xp", ())])
def test_only_a_signature_needs_a_request_to_be_told_of(status: str, lost: tuple[str, ...]) -> None:
    unasked = WireDocument.model_validate({"uuid": "d1", "status": status, "signrequest": None})
    assert signers_not_told(unasked, brief(), PLACES) == lost


def test_a_provider_that_forgets_who_was_replaced_leaves_nothing_untold() -> None:
    three = brief(people=tuple(Participant(person=person, order=1) for person in ("absent", "deputy", "second")))
    emails = {"deputy": "deputy@x.test", "second": "second@x.test"}
    places = make_snapshots(emails, deputy="absent", second="deputy")
    assert signers_not_told(document(make_wire_signer("second@x.test", signed=True), status="si"), three, places) == ()


def test_who_was_replaced_back_and_forth_is_the_last_entry() -> None:
    back = [make_wire_signer("customer@acme.test", 1, forwarded=True), make_wire_signer("b@x.test", 1, forwarded=True)]
    read = document_seen(document(*back, make_wire_signer("customer@acme.test", 1, viewed=True)), brief(), PLACES)
    assert read.signers[0].state is SignerState.VIEWED


def test_who_forwarded_it_to_a_stranger_by_themselves_is_told_so_and_the_stranger_has_the_turn() -> None:
    forwarded_signer = make_wire_signer(
        "customer@acme.test", 1, forwarded=True, forwarded_on=AT, forwarded_to_email="partner@acme.test"
    )
    waiting = document_seen(
        document(forwarded_signer, make_wire_signer("ceo@example.test", 2), make_wire_signer("partner@acme.test", 1)),
        brief(),
        PLACES,
    )
    assert [(signer.state, signer.reason) for signer in waiting.signers] == [
        (SignerState.REASSIGNED, "forwarded"),
        (SignerState.WAITING, None),
    ]
    assert waiting.turn == 1
    signed = document(
        forwarded_signer, make_wire_signer("ceo@example.test", 2), make_wire_signer("partner@acme.test", 1, signed=True)
    )
    assert document_seen(signed, brief(), PLACES).turn == 2


def test_who_handed_over_to_one_of_ours_needs_no_explanation() -> None:
    request = brief(people=(Participant(person="customer-signer", order=1), Participant(person="deputy", order=1)))
    emails = {"customer-signer": "customer@acme.test", "deputy": "deputy@acme.test"}
    forwarded_signer = make_wire_signer("customer@acme.test", 1, forwarded=True, forwarded_to_email="Deputy@acme.test")
    read = document_seen(
        document(forwarded_signer, make_wire_signer("deputy@acme.test", 1, viewed=True)),
        request,
        make_snapshots(emails),
    )
    assert [(signer.state, signer.reason) for signer in read.signers] == [
        (SignerState.REASSIGNED, None),
        (SignerState.VIEWED, None),
    ]


def test_who_was_replaced_is_told_so_even_by_a_provider_that_forgets_them() -> None:
    request = brief(people=(Participant(person="absent", order=1), Participant(person="customer-signer", order=1)))
    emails = {"absent": "absent@acme.test", **EMAILS}
    read = document_seen(
        document(make_wire_signer("customer@acme.test", 1)),
        request,
        make_snapshots(emails),
        replaced={"absent": "absence"},
    )
    assert [(signer.state, signer.reason) for signer in read.signers] == [
        (SignerState.REASSIGNED, "absence"),
        (SignerState.WAITING, None),
    ]


def test_who_signed_before_they_were_replaced_has_signed() -> None:
    read = document_seen(
        document(make_wire_signer("customer@acme.test", 1, signed=True)),
        brief(),
        PLACES,
        replaced={"customer-signer": "manual"},
    )
    assert read.signers[0].state is SignerState.SIGNED


def test_a_stand_in_who_changed_their_address_is_not_taken_for_the_absent_one() -> None:
    request = brief(people=(Participant(person="absent", order=1), Participant(person="stand-in", order=1)))
    places = make_snapshots({"stand-in": "new@acme.test"}, **{"stand-in": "absent"})
    read = document_seen(document(make_wire_signer("old@acme.test", 1, signed=True)), request, places)
    assert [signer.state for signer in read.signers] == [SignerState.WAITING, SignerState.SIGNED]


@pytest.mark.parametrize(
    ("entries", "status", "turn"),
    [
        ([make_wire_signer("customer@acme.test", 1), make_wire_signer("ceo@example.test", 2)], "se", 1),
        ([make_wire_signer("customer@acme.test", 1, signed=True), make_wire_signer("ceo@example.test", 2)], "vi", 2),
        (
            [make_wire_signer("ceo@example.test", 2), make_wire_signer("archive@acme.test", 1, needs_to_sign=False)],
            "se",
            2,
        ),
        (
            [
                make_wire_signer("customer@acme.test", 1, signed=True),
                make_wire_signer("ceo@example.test", 2, signed=True),
            ],
            "vi",
            None,
        ),
        ([make_wire_signer("customer@acme.test", 1)], "ca", None),
        ([], "co", None),
    ],
)
def test_the_turn_is_the_lowest_order_that_is_open(
    entries: list[dict[str, Any]], status: str, turn: int | None
) -> None:
    assert document_seen(document(*entries, status=status), brief(), PLACES).turn == turn


def test_a_bounce_yields_to_any_sign_of_life() -> None:
    bounced = frozenset({"customer@acme.test"})
    assert (
        document_seen(document(make_wire_signer("customer@acme.test")), brief(), PLACES, bounced=bounced)
        .signers[0]
        .state
        is SignerState.BOUNCED
    )
    viewed = document_seen(
        document(make_wire_signer("customer@acme.test", viewed=True)), brief(), PLACES, bounced=bounced
    )
    assert viewed.signers[0].state is SignerState.VIEWED


def test_a_document_without_a_request_has_waiting_signers() -> None:
    read = WireDocument.model_validate({"uuid": "d1", "status": "co", "signrequest": None})
    assert {signer.state for signer in document_seen(read, brief(), PLACES).signers} == {SignerState.WAITING}


def test_a_copy_is_copied_when_all_is_signed() -> None:
    copied = brief(people=(Participant(person="archive", order=1, role=Role.COPY),))
    assert document_seen(document(status="vi"), copied, ()).signers[0].state is SignerState.WAITING
    assert document_seen(document(status="si"), copied, ()).signers[0].state is SignerState.COPIED


@given(st.text())
def test_a_reason_is_one_short_printable_line(text: str) -> None:
    reason = clean(text)
    assert reason is None or (len(reason) <= LONGEST_REASON and reason == reason.strip())
    assert not any(ord(char) < 32 or char == "\u202e" for char in reason or "")


def test_every_status_has_a_meaning_once() -> None:
    of_others = {Status.OPEN, Status.REVIEW, Status.DONE, Status.DONE_WITH_ERRORS, Status.WAIVED}
    assert set(STATUSES.values()) == set(Status) - of_others
