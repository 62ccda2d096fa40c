"""The join: every order of arrival ends alike, nobody goes back, the turn follows the order of the file."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.model.schedule import Schedule
from workflows.model.signature import DocumentSeen, ProviderEvent, SignerSeen, SignerState
from workflows.model.subject import Participant, Role, Status
from workflows.signature.state import EVENTS_REMEMBERED, ID_AT_MOST, SignatureState, SignerSlots

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
SIGNERS = (
    Participant(person="a", order=1),
    Participant(person="b", order=1, role=Role.APPROVE),
    Participant(person="c", order=2),
    Participant(person="d", order=3, role=Role.COPY),
)


def begun() -> SignerSlots:
    return SignerSlots.expect(SIGNERS).begin(NOW)


def seen(*pairs: tuple[str, SignerState]) -> tuple[SignerSeen, ...]:
    return tuple(SignerSeen(person=person, state=state) for person, state in pairs)


def test_the_turn_follows_the_order_and_the_same_number_means_in_parallel() -> None:
    first = begun()
    assert [one.person for one in first.pending] == ["a", "b"]
    half = first.record(seen(("a", SignerState.SIGNED)), NOW)
    assert [one.person for one in half.pending] == ["b"]
    second = half.record(seen(("b", SignerState.APPROVED)), NOW)
    assert [one.person for one in second.pending] == ["c"]
    assert not second.complete
    assert second.record(seen(("c", SignerState.SIGNED)), NOW).complete


def test_after_a_decline_nobody_is_asked_any_more() -> None:
    declined = begun().record(seen(("a", SignerState.DECLINED), ("b", SignerState.APPROVED)), NOW)
    assert declined.pending == ()
    assert [one.person for one in declined.signers if one.turn_at] == ["a", "b"]


def test_somebody_we_do_not_know_goes_before_those_who_come_after_them() -> None:
    gone = seen(("a", SignerState.REASSIGNED), ("b", SignerState.APPROVED))
    held = begun().record(gone, NOW, turn=1)
    assert held.pending == ()
    assert [one.person for one in held.record((), NOW, turn=2).pending] == ["c"]


def test_before_it_was_sent_it_is_nobodys_turn() -> None:
    waiting = SignerSlots.expect(SIGNERS).record(seen(("a", SignerState.VIEWED)), NOW)
    assert waiting.pending == ()
    assert [one.person for one in waiting.begin(NOW).pending] == ["a", "b"]


def test_whoever_takes_a_place_has_all_of_their_time_from_then_on() -> None:
    later = NOW + timedelta(days=20)
    taken = begun().reassign("a", "e", later).of("e")
    assert taken is not None
    assert (taken.state, taken.turn_at, taken.clock_from) == (SignerState.TURN, later, later)
    waits = begun().reassign("c", "e", later).of("e")
    assert waits is not None
    assert (waits.state, waits.turn_at, waits.clock_from) == (SignerState.WAITING, None, None)


def test_a_copy_is_never_waited_for() -> None:
    everyone = begun().record(
        seen(("a", SignerState.SIGNED), ("b", SignerState.APPROVED), ("c", SignerState.SIGNED)), NOW
    )
    assert everyone.complete
    assert everyone.pending == ()


@pytest.mark.parametrize("later", [SignerState.VIEWED, SignerState.BOUNCED, SignerState.DECLINED, SignerState.TURN])
def test_who_has_acted_never_goes_back(later: SignerState) -> None:
    acted = begun().record(seen(("a", SignerState.SIGNED)), NOW)
    assert acted.record(seen(("a", later)), NOW) == acted


STEPS = [("a", SignerState.VIEWED), ("a", SignerState.SIGNED), ("b", SignerState.APPROVED), ("c", SignerState.VIEWED),
         ("c", SignerState.SIGNED)]  # fmt: skip


def test_every_permutation_of_five_reports_ends_alike() -> None:
    endings = set()
    for order in permutations(STEPS):
        signatures = begun()
        for step in order:
            signatures = signatures.record(seen(step), NOW)
        endings.add(tuple((one.person, one.state) for one in signatures.signers))
    assert endings == {
        (("a", SignerState.SIGNED), ("b", SignerState.APPROVED), ("c", SignerState.SIGNED), ("d", SignerState.WAITING))
    }


def test_every_permutation_of_five_documents_ends_alike() -> None:
    documents = [
        DocumentSeen(document="d", status=status, raw=status[:2])
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
    once = begun()
    for report in reports:
        once = once.record(seen(report), NOW)
        assert once.record(seen(report), NOW) == once


def test_a_hint_for_several_is_a_repeated_one_only_if_all_of_them_were_heard() -> None:
    from tests.workflows.stage import a_request

    hint = ProviderEvent(id="e-2", type="signed", at=NOW, also=("e-1",))
    heard = (
        SignatureState.begin(a_request().brief, NOW)
        .notify_of(hint.replace(id="e-1", also=()), NOW)
        .within("document", unread=False)
    )
    assert heard.notify_of(hint, NOW).document.unread
    assert heard.notify_of(hint, NOW).document.events_seen == ("e-1", "e-2")
    both = heard.notify_of(hint, NOW).within("document", unread=False)
    assert both.notify_of(hint, NOW) == both


@pytest.mark.parametrize(("after", "late"), [(-1, False), (0, False), (1, True)])
def test_who_signs_in_the_very_instant_of_the_due_date_is_in_time(after: int, late: bool) -> None:
    from tests.workflows.stage import a_request

    due = NOW + timedelta(days=30)
    at = due + timedelta(microseconds=after)
    sent = SignatureState.begin(a_request().brief, NOW).planned(
        Schedule(due_at=due, over_at=due + timedelta(days=9)), NOW
    )
    [first, *_] = sent.slots.places
    signed = SignerSeen(person=first.person, state=SignerState.SIGNED, at=at)
    seen = DocumentSeen(document="d", status=Status.SENT, raw="se", signers=(signed,))
    known = sent.observe(DocumentSeen(document="d", status=Status.SENT, raw="se"), NOW).observe(seen, at)
    place = known.slots.of(first.person)
    assert place is not None and known.acted_late(place) is late


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
    read = heard.within("document", unread=False)
    assert read.notify_of(hint, NOW) is read
    assert read.notify_of(hint.replace(id="e-1", also=()), NOW).document.unread
