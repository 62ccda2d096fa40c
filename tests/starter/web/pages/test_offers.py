"""What a form may ask for: only what is on offer, and nothing that cannot be read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.people.person import Person
from activities.people.reader import Reader
from starter.queries.commands import CommandRefused
from starter.web.acting.actions import Action
from starter.web.pages.options import NOTHING, Offers, offers_to_awaited
from starter.web.pages.visits import StandIns
from workflows.model.commands import SnoozeCommand
from workflows.model.rejections import plain
from workflows.model.subject import Status
from workflows.model.views import Choices, RequestShow

NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
SIGNER, DEPUTY = "customer-signer", "customer-deputy"


def person(**changes: Any) -> Person:
    fields = {"id": DEPUTY, "name": "Customer Deputy", "email": "deputy@acme.test", "zone": "America/New_York"}
    return Person.model_validate({**fields, **changes})


def make_view(**changes: Any) -> RequestShow:
    choices = Choices(person=SIGNER, snoozes_left=2, snooze_until=None, hand_over=True, ask=True)
    return RequestShow(id="msa", kind="nda", status=Status.SENT, choices=(choices.replace(**changes),))


def make_offers(*stand_ins: Person, **changes: Any) -> Offers:
    return offers_to_awaited(make_view(**changes), SIGNER, StandIns(stand_ins), Reader.from_person(person()), NOW)


def test_a_delegate_is_offered_unless_absent() -> None:
    day = NOW.date()
    absences = [{"from": day.isoformat(), "until": (day + timedelta(days=2)).isoformat()}]
    assert make_offers(person()).takers == (person(),)
    assert make_offers(person(absent=absences)).takers == ()
    assert make_offers().takers == ()
    assert make_offers(person(), hand_over=False).takers == ()


def test_a_signer_whose_turn_it_is_not_is_offered_nothing() -> None:
    assert (
        offers_to_awaited(make_view(), "somebody-else", StandIns((person(),)), Reader.from_person(person()), NOW)
        == NOTHING
    )


@pytest.mark.parametrize("act", [*Action, "", "nonsense"])
def test_where_nothing_is_on_offer_no_form_is_a_command(act: str) -> None:
    form = {"act": act, "value": "2026-11-27T14:00:00+00:00", "text": "Which annex?"}
    assert NOTHING.command_of(SIGNER, form) is None


@pytest.mark.parametrize("snoozes_left", [2, 0])
def test_a_time_on_offer_is_a_command_and_the_same_one_sent_again_after_the_last_is_one_too(snoozes_left: int) -> None:
    """Whoever taps twice is told what their first tap has done, not that nothing is left."""
    times = make_offers().times
    form = {"act": Action.LATER, "value": times[0].at.isoformat()}
    assert make_offers(snoozes_left=snoozes_left).command_of(SIGNER, form) == SnoozeCommand(
        person=SIGNER, until=times[0].at
    )


@pytest.mark.parametrize(
    "snooze_until",
    [
        "",
        "tomorrow",
        "2026-11-27T14:00:00",
        "9999999-01-01",
        "2026-11-27",
        "2026-11-27T15:00:00+00:00",
        "9999-12-31T23:50Z",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00+14:00",
    ],
)
def test_a_time_that_is_not_on_offer_is_refused_in_words(snooze_until: str) -> None:
    with pytest.raises(CommandRefused, match="it cannot be put off until then any more"):
        make_offers().command_of(SIGNER, {"act": Action.LATER, "value": snooze_until})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("one\r\ntwo\n", "one\ntwo\n"),
        ("Zoe\u0308", "Zoë"),
        ("\x1b[31mred\x07\x00", "[31mred"),
        ("safe\u202egnp.exe\u2066", "safegnp.exe"),
        ("👩‍⚖️ توقيع", "👩‍⚖️ توقيع"),
    ],
)
def test_texts_lose_only_what_nobody_can_see(written: str, read: str) -> None:
    assert plain(written) == read
