"""Rights are read as they are written, and permit what they say and nothing beside it."""

import pytest

from activities.people.rights import RIGHTS_AT_MOST, May, TokenRights


def test_rights_permit_what_they_say() -> None:
    rights = TokenRights.read(["start:offer-letter", "read", "change:nda@hr-desk"])
    assert rights.permit(May.START, "offer-letter", "chair")
    assert not rights.permit(May.START, "nda", "chair")
    assert not rights.permit(May.START), "not of every kind"
    assert rights.permit(May.READ) and rights.permit(May.READ, "nda", "chair")
    assert rights.permit(May.CHANGE, "nda", "hr-desk")
    assert not rights.permit(May.CHANGE, "nda", "chair") and not rights.permit(May.CHANGE, "nda")
    assert not TokenRights().permit(May.READ)


def test_a_right_is_written_as_it_was_read() -> None:
    written = ("read@hr-desk", "start:offer-letter", "change:nda@hr-desk")
    assert TokenRights.read([*written, "read@hr-desk"]).written == written


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "is no right"),
        ("raed", "did you mean read"),
        ("start:", "is no right"),
        ("start:a b", "is no right"),
        ("read@", "is no right"),
        ("target:finance", "target is no right"),
    ],
)
def test_what_is_no_right_is_refused(written: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TokenRights.read([written])


def test_of_none_and_of_ten_times_too_many_nothing_is_read() -> None:
    for right_count in (0, 10 * RIGHTS_AT_MOST):
        with pytest.raises(ValueError, match=f"from 1 to {RIGHTS_AT_MOST}"):
            TokenRights.read(f"start:kind-{number}" for number in range(right_count))
