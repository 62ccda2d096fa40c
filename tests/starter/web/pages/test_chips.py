"""Chips: every state of ours has a look of its own choosing, and what ended well looks like nothing else."""

from collections.abc import Iterable

import pytest

from activities.people.language import Language
from activities.records.outcomes import MemberStatus
from starter.web.screens.status import STATES, Chip, Look, StateOwner, chip_of, status_chip
from workflows.kinds import Kind
from workflows.model.signature import SignerState
from workflows.model.subject import Status
from workflows.task.state import AssigneeState

LOOKS = {status: chip_of(StateOwner.FOLLOW_UP, status, Language.english()).look for status in Status}


@pytest.mark.parametrize(
    ("owner", "states"),
    [
        (StateOwner.FOLLOW_UP, Status),
        (StateOwner.PERSON, [*SignerState, *AssigneeState]),
        (StateOwner.MEMBER, MemberStatus),
    ],
)
def test_every_state_has_its_words_and_a_look(owner: StateOwner, states: Iterable[str]) -> None:
    assert set(states) == set(STATES[owner])


def test_what_ended_well_looks_like_nothing_that_ended_otherwise() -> None:
    assert {LOOKS[status] for status in (Status.SIGNED, Status.DONE)} == {Look.GOOD}
    other_looks = {LOOKS[status] for status in Status if status.has_ended} - {Look.GOOD}
    assert other_looks == {Look.NEAR, Look.BAD, Look.CALM}
    assert Look.GOOD not in {LOOKS[status] for status in Status if not status.has_ended}


def test_a_chip_says_in_words_what_it_shows_and_a_state_of_a_later_version_is_calm() -> None:
    german = Language.from_tag("de")
    assert status_chip(Status.SIGNED, german) == Chip("unterschrieben", Look.GOOD)
    assert status_chip(Status.OPEN, german, Kind.ONBOARDING).text != status_chip(Status.OPEN, german).text
    assert status_chip("revoked", german) == Chip("revoked", Look.CALM)
