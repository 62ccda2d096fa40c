"""Chips: every state of ours has a look of its own choosing, and what ended well looks like nothing else."""

from itertools import chain

import pytest

from activities.campaign.member_status import MemberStatus
from activities.people.language import Language
from starter.web.status import LOOKS, Chip, Look, status_chip
from workflows.kinds import Kind
from workflows.model.signature import SignerState
from workflows.model.subject import Status
from workflows.task.state import AssigneeState

_NOBODY_IS_SHOWN = {
    MemberStatus.ACKNOWLEDGED,
    MemberStatus.EXEMPT,
    MemberStatus.DROPPED,
    MemberStatus.ERROR,
    MemberStatus.NOT_STARTED,
}
"""Who stands so in a campaign is counted, not listed."""


@pytest.mark.parametrize("state", [*chain(Status, SignerState, AssigneeState), *({*MemberStatus} - _NOBODY_IS_SHOWN)])
def test_every_state_has_a_look(state: str) -> None:
    assert state in LOOKS


def test_what_ended_well_looks_like_nothing_that_ended_otherwise() -> None:
    assert {LOOKS[status] for status in (Status.SIGNED, Status.DONE)} == {Look.GOOD}
    others = {LOOKS[status] for status in Status if status.ended} - {Look.GOOD}
    assert others == {Look.NEAR, Look.BAD, Look.CALM}
    assert Look.GOOD not in {LOOKS[status] for status in Status if not status.ended}


def test_a_chip_says_in_words_what_it_shows_and_a_state_of_a_later_version_is_calm() -> None:
    german = Language.of("de")
    assert status_chip(Status.SIGNED, german) == Chip("unterschrieben", Look.GOOD)
    assert status_chip(Status.OPEN, german, Kind.ONBOARDING).text != status_chip(Status.OPEN, german).text
    assert status_chip("revoked", german) == Chip("revoked", Look.CALM)
