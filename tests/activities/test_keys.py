"""Keys of each purpose: the first secret writes, all read, and nothing else opens anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from activities.keys import BadSeal, KeyRing, Purpose
from starter.web.acting.forms import FormGuard

OLD, NEW = SecretStr("o" * 32), SecretStr("n" * 32)
BEFORE, BOTH, AFTER = KeyRing([OLD]), KeyRing([NEW, OLD]), KeyRing([NEW])


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=2, max_size=200), st.sampled_from(Purpose))
def test_what_a_secret_has_sealed_opens_as_long_as_it_is_listed(text: str, purpose: Purpose) -> None:
    sealed = BEFORE.seal(purpose).seal(text)
    assert BOTH.seal(purpose).open(sealed) == text
    assert BOTH.seal(purpose).seal(text) == AFTER.seal(purpose).seal(text) != sealed
    with pytest.raises(BadSeal, match=r"^not sealed by us$"):
        AFTER.seal(purpose).open(sealed)


def test_each_purpose_has_keys_of_its_own() -> None:
    text = "msa-0042"
    sealed = {purpose: BEFORE.seal(purpose).seal(text) for purpose in Purpose}
    digests = {BEFORE.seal(purpose).digest(text.encode()) for purpose in Purpose}
    assert len({*sealed.values()}) == len(digests) == len(Purpose)
    for purpose in Purpose:
        for other in set(Purpose) - {purpose}:
            with pytest.raises(BadSeal):
                BEFORE.seal(other).open(sealed[purpose])


@pytest.mark.parametrize("touch", [lambda t: t[:-1], lambda t: f"{t}A", lambda t: f"{t}==", lambda t: t.swapcase()])
def test_a_touched_text_opens_nothing(touch) -> None:  # type: ignore[no-untyped-def]
    seal = BOTH.seal(Purpose.LINK)
    for sealed in ("", "A" * 29, "é" * 40, touch(seal.seal("request\nperson"))):
        with pytest.raises(BadSeal):
            seal.open(sealed)


def test_codes_and_forms_of_before_a_rotation_are_accepted_after_it_and_not_once_the_secret_is_struck() -> None:
    code = BEFORE.seal(Purpose.SIGN_IN).code("asked")
    before, both, after = (FormGuard(ring, "https://sign.example") for ring in (BEFORE, BOTH, AFTER))
    form = {"token": before.token("ref"), "note": "once"}
    assert BOTH.seal(Purpose.SIGN_IN).accepts_code("asked", code) and both.accepts("ref", form["token"], {})
    assert not AFTER.seal(Purpose.SIGN_IN).accepts_code("asked", code) and not after.accepts("ref", form["token"], {})
    assert both.op("ref", form) == before.op("ref", form), "a post that is repeated is one command"


def test_the_name_of_a_secret_is_the_same_for_everybody_and_not_a_part_of_it() -> None:
    assert BOTH.ids == (*AFTER.ids, *BEFORE.ids)
    assert all(len(name) == 16 and OLD.get_secret_value() not in name for name in BOTH.ids)
