"""Signing links: sealed, equal each time, and worthless when touched."""

import base64
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from activities.keys import KeyRing
from activities.notifications.links import BadLink, LinkContent, LinkUse, SigningLinks, Through, serial_of

BASE = "https://sign.example"
LINKS = SigningLinks(BASE, KeyRing([SecretStr("s" * 32)]))
DAY = date(2026, 11, 26)
IDS = st.text("ABCabc019._-", min_size=1, max_size=100)


def ref_of(link: str) -> str:
    return link.removeprefix(f"{BASE}/open/")


@given(request=IDS, person=IDS, use=st.sampled_from(LinkUse))
def test_a_link_opens_to_what_it_was_made_of(request: str, person: str, use: LinkUse) -> None:
    assert LINKS.open(ref_of(LINKS.link(request, person, use, noticed_on=DAY))) == LinkContent(
        request, person, use, DAY
    )


def test_a_link_is_byte_equal_on_every_attempt_also_of_another_process() -> None:
    other_links = SigningLinks(f"{BASE}/", KeyRing([SecretStr("s" * 32)]))
    assert LINKS.link("msa-0042", "chief-executive", LinkUse.SIGN) == other_links.link(
        "msa-0042", "chief-executive", LinkUse.SIGN
    )


def test_every_use_person_and_request_has_its_own_link() -> None:
    all_links = {
        LINKS.link(request, person, use)
        for request in ("msa-1", "msa-2")
        for person in ("legal-desk", "chief-executive")
        for use in LinkUse
    }
    assert len(all_links) == 4 * len(LinkUse)


def test_a_task_has_a_page_of_its_own() -> None:
    link = LINKS.link("task:keys", "office", LinkUse.DO, noticed_on=DAY)
    claim = LINKS.open(link.removeprefix(f"{BASE}/task/"))
    assert (claim, claim.workflow_id) == (LinkContent("task:keys", "office", LinkUse.DO, DAY), "task:keys")
    assert LINKS.open(ref_of(LINKS.link("keys", "office", LinkUse.SIGN))).workflow_id == "signature-request:keys"


def test_nothing_of_the_claim_is_readable() -> None:
    ref = ref_of(LINKS.link("msa-0042", "chief-executive", LinkUse.SIGN))
    sealed = base64.urlsafe_b64decode(ref + "=" * (-len(ref) % 4))
    assert not any(part in sealed for part in (b"msa", b"0042", b"chief", b"sign"))


@given(position=st.integers(0, 500), character=st.sampled_from("ABCxyz019-_"))
def test_a_changed_character_is_a_bad_link(position: int, character: str) -> None:
    ref = ref_of(LINKS.link("msa-0042", "chief-executive", LinkUse.SIGN))
    position %= len(ref)
    changed = ref[:position] + character + ref[position + 1 :]
    if changed != ref:
        with pytest.raises(BadLink):
            LINKS.open(changed)


@pytest.mark.parametrize(
    "ref",
    ["", "short", "A" * 39, "A" * 40, "A" * 41, "A" * 512, "A" * 513, "A" * 100_000, "=" * 60, "é" * 60, "../" * 20],
)
def test_nonsense_is_a_bad_link(ref: str) -> None:
    with pytest.raises(BadLink):
        LINKS.open(ref)


def test_a_longer_or_padded_form_of_a_genuine_link_is_bad() -> None:
    ref = ref_of(LINKS.link("msa-0042", "chief-executive", LinkUse.SIGN))
    for changed in (ref + "A", ref + "=", ref + "\n", ref[:-1], f" {ref}"):
        with pytest.raises(BadLink):
            LINKS.open(changed)


def test_another_secret_opens_nothing() -> None:
    ref = ref_of(LINKS.link("msa-0042", "chief-executive", LinkUse.SIGN))
    with pytest.raises(BadLink, match=r"^not a link of ours$"):
        SigningLinks(BASE, KeyRing([SecretStr("t" * 32)])).open(ref)


def test_the_longest_ids_still_make_a_link_that_opens() -> None:
    request, person = "c" * 48 + "." + "p" * 100, "p" * 100
    assert LINKS.open(ref_of(LINKS.link(request, person, LinkUse.VIEW))).request == request
    through = Through("customer-onboarding:" + "c" * 100, "q" * 100)
    serial, email = "0123456789abcdef", "e" * 254
    link = LINKS.link(request, person, LinkUse.SIGN, serial, noticed_on=DAY, order=100, email=email, through=through)
    assert (claim := LINKS.open(ref_of(link))) == LinkContent(
        request, person, LinkUse.SIGN, DAY, 100, claim.mark, serial, None, through
    )
    assert LINKS.is_marked(claim, "E" * 254) and not LINKS.is_marked(claim, "e" * 253)


@given(request=IDS, person=IDS, serial=st.text("0123456789abcdef", min_size=1, max_size=16), person_in_parent=IDS)
def test_a_link_through_an_onboarding_says_through_which_and_whose(
    request: str, person: str, serial: str, person_in_parent: str
) -> None:
    through = Through("customer-onboarding:acme", person_in_parent)
    ref = ref_of(LINKS.link(request, person, LinkUse.SIGN, serial, noticed_on=DAY, through=through))
    assert LINKS.open(ref) == LinkContent(request, person, LinkUse.SIGN, DAY, serial=serial, through=through)
    assert ref != ref_of(LINKS.link(request, person, LinkUse.SIGN, serial))


def test_a_serial_can_be_renewed_of_an_onboarding_and_of_what_its_page_gave() -> None:
    acme, part = "customer-onboarding:acme", "task:acme.1.1"
    through = Through(acme, "signer-1")
    assert LinkContent(part, "signer-2", LinkUse.DO, DAY, through=through).serial_at == serial_of(acme, "signer-1")
    assert LinkContent(acme, "signer-1", LinkUse.VIEW, DAY).serial_at == serial_of(acme, "signer-1")
    assert LinkContent(part, "signer-2", LinkUse.DO, DAY).serial_at is None
    assert LinkContent(acme, "signer-1", LinkUse.PREVIEW, DAY).serial_at is None
