"""The join: every order of arrival ends alike, nobody goes back, the turn follows the order of the file."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.model.schedule import Schedule
from workflows.model.signature import ProviderEvent, ReportedDocument, ReportedSigner, SignerState
from workflows.model.subject import Participant, Role, Status
from workflows.signature.state import EVENTS_REMEMBERED, ID_AT_MOST, SignatureState, SignerSlots

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
SIGNERS = (
    Participant(person="a", order=1),
    Participant(person="b", order=1, role=Role.APPROVE),
    Participant(person="c", order=2),
    Participant(person="d", order=3, role=Role.COPY),
)


def begin_slots() -> SignerSlots:
    return SignerSlots.expect(SIGNERS).begin(NOW)


def make_reports(*pairs: tuple[str, SignerState]) -> tuple[ReportedSigner, ...]:
    return tuple(ReportedSigner(person=person, state=state) for person, state in pairs)


def test_the_turn_follows_the_order_and_the_same_number_means_in_parallel() -> None:
    first = begin_slots()
    assert [slot.person for slot in first.pending] == ["a", "b"]
    half = first.record(make_reports(("a", SignerState.SIGNED)), NOW)
    assert [slot.person for slot in half.pending] == ["b"]
    second = half.record(make_reports(("b", SignerState.APPROVED)), NOW)
    assert [slot.person for slot in second.pending] == ["c"]
    assert not second.complete
    assert second.record(make_reports(("c", SignerState.SIGNED)), NOW).complete


def test_after_a_decline_nobody_is_asked_any_more() -> None:
    declined = begin_slots().record(make_reports(("a", SignerState.DECLINED), ("b", SignerState.APPROVED)), NOW)
    assert declined.pending == ()
    assert [signer.person for signer in declined.signers if signer.turn_at] == ["a", "b"]


def test_somebody_we_do_not_know_goes_before_those_who_come_after_them() -> None:
    reports = make_reports(("a", SignerState.REASSIGNED), ("b", SignerState.APPROVED))
    waiting_slots = begin_slots().record(reports, NOW, turn=1)
    assert waiting_slots.pending == ()
    assert [slot.person for slot in waiting_slots.record((), NOW, turn=2).pending] == ["c"]


def test_before_it_was_sent_it_is_nobodys_turn() -> None:
    waiting = SignerSlots.expect(SIGNERS).record(make_reports(("a", SignerState.VIEWED)), NOW)
    assert waiting.pending == ()
    assert [slot.person for slot in waiting.begin(NOW).pending] == ["a", "b"]


def test_whoever_takes_a_place_has_all_of_their_time_from_then_on() -> None:
    later = NOW + timedelta(days=20)
    taken_slot = begin_slots().reassign("a", "e", later).find("e")
    assert taken_slot is not None
    assert (taken_slot.state, taken_slot.turn_at, taken_slot.clock_from) == (SignerState.TURN, later, later)
    waits = begin_slots().reassign("c", "e", later).find("e")
    assert waits is not None
    assert (waits.state, waits.turn_at, waits.clock_from) == (SignerState.WAITING, None, None)


def test_a_copy_is_never_waited_for() -> None:
    everyone = begin_slots().record(
        make_reports(("a", SignerState.SIGNED), ("b", SignerState.APPROVED), ("c", SignerState.SIGNED)), NOW
    )
    assert everyone.complete
    assert everyone.pending == ()


@pytest.mark.parametrize("later", [SignerState.VIEWED, SignerState.BOUNCED, SignerState.DECLINED, SignerState.TURN])
def test_who_has_acted_never_goes_back(later: SignerState) -> None:
    acted = begin_slots().record(make_reports(("a", SignerState.SIGNED)), NOW)
    assert acted.record(make_reports(("a", later)), NOW) == acted


STEPS = [("a", SignerState.VIEWED), ("a", SignerState.SIGNED), ("b", SignerState.APPROVED), ("c", SignerState.VIEWED),
         ("c", SignerState.SIGNED)]  # fmt: skip


def test_every_permutation_of_five_reports_ends_alike() -> None:
    endings = set()
    for order in permutations(STEPS):
        signatures = begin_slots()
        for step in order:
            signatures = signatures.record(make_reports(step), NOW)
        endings.add(tuple((signer.person, signer.state) for signer in signatures.signers))
    assert endings == {
        (("a", SignerState.SIGNED), ("b", SignerState.APPROVED), ("c", SignerState.SIGNED), ("d", SignerState.WAITING))
    }


def test_every_permutation_of_five_documents_ends_alike() -> None:
    documents = [
        ReportedDocument(document="d", status=status, raw=status[:2])
        for status in (Status.CONVERTING, Status.SENT, Status.VIEWED, Status.SIGNED, Status.VIEWED)
    ]
    from tests.workflows.stage import a_request

    endings = set()
    for order in permutations(documents):
        progress = SignatureState.begin(a_request().brief, NOW)
        for document in order:
            progress = progress.observe(document, NOW)
        endings.add(progress.status)
    assert endings == {Status.SIGNED}


states = st.sampled_from(list(SignerState))


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", "stranger"]), states), max_size=20))
def test_whatever_the_provider_says_repeating_it_changes_nothing(reports: list[tuple[str, SignerState]]) -> None:
    signer_slots = begin_slots()
    for report in reports:
        signer_slots = signer_slots.record(make_reports(report), NOW)
        assert signer_slots.record(make_reports(report), NOW) == signer_slots


def test_a_hint_for_several_is_a_repeated_one_only_if_all_of_them_were_heard() -> None:
    from tests.workflows.stage import a_request

    hint = ProviderEvent(id="e-2", type="signed", at=NOW, also=("e-1",))
    heard = (
        SignatureState.begin(a_request().brief, NOW)
        .notify_of(hint.replace(id="e-1", also=()), NOW)
        .update_part("document", unread=False)
    )
    assert heard.notify_of(hint, NOW).document.unread
    assert heard.notify_of(hint, NOW).document.events_seen == ("e-1", "e-2")
    notified = heard.notify_of(hint, NOW).update_part("document", unread=False)
    assert notified.notify_of(hint, NOW) == notified


@pytest.mark.parametrize(("offset_microseconds", "late"), [(-1, False), (0, False), (1, True)])
def test_who_signs_in_the_very_instant_of_the_due_date_is_in_time(offset_microseconds: int, late: bool) -> None:
    from tests.workflows.stage import a_request

    due = NOW + timedelta(days=30)
    signed_at = due + timedelta(microseconds=offset_microseconds)
    sent = SignatureState.begin(a_request().brief, NOW).planned(
        Schedule(due_at=due, closes_at=due + timedelta(days=9)), NOW
    )
    [first, *_] = sent.slots.places
    signed = ReportedSigner(person=first.person, state=SignerState.SIGNED, at=signed_at)
    document = ReportedDocument(document="d", status=Status.SENT, raw="se", signers=(signed,))
    observed = sent.observe(ReportedDocument(document="d", status=Status.SENT, raw="se"), NOW).observe(
        document, signed_at
    )
    slot = observed.slots.find(first.person)
    assert slot is not None and observed.acted_late(slot) is late


def test_of_ten_times_as_many_and_as_long_ids_as_are_remembered_a_request_keeps_no_more_and_knows_them_again() -> None:
    """Whoever may signal a workflow may send a hint of any size; a genuine id is a uuid, or a digest of many."""
    from tests.workflows.stage import a_request

    ids = tuple(f"{number:04}".rjust(ID_AT_MOST * 10, "e") for number in range(EVENTS_REMEMBERED * 10))
    hint = ProviderEvent(id=ids[0], type="t" * 100_000, at=NOW, also=ids[1:])
    heard = SignatureState.begin(a_request().brief, NOW).notify_of(hint, NOW)
    assert heard.document.unread
    assert len(heard.document.events_seen) == EVENTS_REMEMBERED
    assert {len(id) for id in heard.document.events_seen} == {ID_AT_MOST}
    assert len(heard.model_dump_json()) < 10_000
    read = heard.update_part("document", unread=False)
    assert read.notify_of(hint, NOW) is read
    assert read.notify_of(hint.replace(id="e-1", also=()), NOW).document.unread
