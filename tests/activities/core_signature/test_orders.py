"""The bodies we send, without a network."""

import json
from dataclasses import replace

import pytest
from pydantic import SecretStr

from activities.core_signature.client import CoreSignatureConfig, NameStyle
from activities.core_signature.orders import document_body, embed_user, request_body
from activities.http.oauth import Credentials
from activities.people.person import Person
from tests.activities.core_signature.requests import brief
from workflows.model.signature import Document
from workflows.model.subject import Participant, Role

CONFIG = CoreSignatureConfig("https://sign.test", Credentials("https://login.test", "id", SecretStr("secret")))


def person(name: str = "Ada Example", locale: str = "en") -> Person:
    """Somebody."""
    return Person(id="customer-signer", name=name, email="customer@acme.test", zone="UTC", locale=locale)


def build_signer(
    person: Person, *, role: Role = Role.SIGN, reachable: bool = False, style: str = "full_name"
) -> object:
    """What is said of one signer."""
    request = brief(people=(Participant(person="customer-signer", order=1, role=role),))
    config = replace(CONFIG, name_style=NameStyle(style))
    people, devices = {"customer-signer": person}, {"customer-signer"} if reachable else set()
    return request_body("https://sign.test/d", request, people, devices, config)["signers"][0]


def test_who_comes_from_our_page_ends_on_one_of_ours_that_keeps_nothing() -> None:
    config, people = replace(CONFIG, signed_page="https://app.test/open/signed"), {"customer-signer": person()}
    request = brief(people=(Participant(person="customer-signer", order=1),))
    ours, by_mail = (
        request_body("https://sign.test/d", request, people, devices, config)["signers"][0]
        for devices in ({"customer-signer"}, set[str]())
    )
    for name in ("redirect_url", "redirect_url_declined"):
        assert (ours[name], name in by_mail) == ("https://app.test/open/signed", False)


def test_a_file_goes_by_the_name_it_has() -> None:
    assert document_body(brief("0" * 64), CONFIG) == {
        "name": "Master services agreement",
        "external_id": "msa-0042",
        "file_from_content_name": "msa.pdf",
    }


@pytest.mark.parametrize(("file_name", "sent"), [("msa", "msa.pdf"), ("MSA.PDF", "MSA.PDF"), ("msa.v2", "msa.v2.pdf")])
def test_the_name_of_a_file_tells_what_it_is(file_name: str, sent: str) -> None:
    request = brief(title="MSA", document=Document(sha256="0" * 64, file_name=file_name))
    assert document_body(request, CONFIG)["file_from_content_name"] == sent


def test_a_value_fills_a_tag_by_what_it_is() -> None:
    values = {"order-number": "4711", "new": "true", "old": "false", "begins": "2027-01-04", "ends": "2027-13-04"}
    assert document_body(brief(prefill=json.dumps(values)), CONFIG)["prefill_tags"] == [
        {"external_id": "order-number", "text": "4711"},
        {"external_id": "new", "checkbox_value": True},
        {"external_id": "old", "checkbox_value": False},
        {"external_id": "begins", "date_value": "2027-01-04"},
        {"external_id": "ends", "text": "2027-13-04"},
    ]


def test_a_template_goes_by_its_address() -> None:
    request = brief(title="NDA", document=Document(template="https://sign.test/t/1"))
    body = document_body(request, replace(CONFIG, callback_url="https://app.test/callbacks/x"))
    assert body == {
        "name": "NDA",
        "external_id": "msa-0042",
        "template": "https://sign.test/t/1",
        "events_callback_url": "https://app.test/callbacks/x",
    }


def test_one_voice_only() -> None:
    people = {"customer-signer": person(), "chief-executive": person()}
    body = request_body("https://sign.test/d", brief(message="Please."), people, set(), CONFIG)
    assert body["send_reminders"] is False
    assert (body["who"], body["subject"], body["message"]) == ("o", "Master services agreement", "Please.")
    assert "from_email" not in body
    sent_by = request_body("https://sign.test/d", brief(), people, set(), replace(CONFIG, from_email="legal@acme.test"))
    assert sent_by["from_email"] == "legal@acme.test"


def test_mails_about_endings_are_kept_back_only_when_asked_for() -> None:
    people = {"customer-signer": person(), "chief-executive": person()}
    assert "disable_emails" not in request_body("https://sign.test/d", brief(), people, set(), CONFIG)
    silent = request_body("https://sign.test/d", brief(), people, set(), replace(CONFIG, status_mails=False))
    assert silent["disable_emails"] is True


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("Ada Example", "Ada", "Example"), ("Ada Maria Example", "Ada Maria", "Example"), ("Example", "", "Example")],
)
def test_a_name_in_two_parts(name: str, first: str, last: str) -> None:
    signer = build_signer(person(name), style="first_last")
    assert isinstance(signer, dict)
    assert (signer["first_name"], signer["last_name"]) == (first, last)
    assert "full_name" not in signer


@pytest.mark.parametrize(
    ("locale", "language"),
    [("en", "en"), ("en_GB", "en-gb"), ("en-US", "en"), ("nl-BE", "nl"), ("nb", "no"), ("nb-NO", "no"), ("cs", None)],
)
def test_the_language_is_said_when_the_provider_speaks_it(locale: str, language: str | None) -> None:
    signer = build_signer(person(locale=locale))
    assert isinstance(signer, dict)
    assert signer.get("language") == language


@pytest.mark.parametrize(
    ("role", "reachable", "withheld"),
    [
        (Role.SIGN, True, True),
        (Role.APPROVE, True, True),
        (Role.COPY, True, False),
        (Role.SIGN, False, False),
    ],
)
def test_the_provider_s_mail_is_withheld_only_where_ours_arrives(role: Role, reachable: bool, withheld: bool) -> None:
    signer = build_signer(person(), role=role, reachable=reachable)
    assert isinstance(signer, dict)
    assert ("embed_url_user_id" in signer) is withheld
    assert signer["needs_to_sign"] is (role is not Role.COPY)
    assert signer.get("approve_only", False) is (role is Role.APPROVE)


def test_whom_a_page_is_for_is_the_same_on_every_attempt_and_differs_between_requests() -> None:
    assert embed_user("a", "customer-signer") == embed_user("a", "customer-signer")
    assert embed_user("a", "customer-signer") != embed_user("b", "customer-signer")


@pytest.mark.parametrize(
    ("is_own_address", "address", "from_email"),
    [
        (False, "desk@acme.test", "fixed@acme.test"),
        (True, "desk@acme.test", "desk@acme.test"),
        # Core Signature puts the sender among the signers, who are told apart by their addresses.
        (True, "Customer@acme.test", "fixed@acme.test"),
    ],
)
def test_requests_come_under_the_requesters_name_and_where_the_tenant_allows_it_from_their_own_address(
    is_own_address: bool, address: str, from_email: str
) -> None:
    desk = Person(id="legal-desk", name="Legal desk", email=address, zone="UTC")
    people = {"customer-signer": person(), "chief-executive": person()}
    config = replace(CONFIG, from_email="fixed@acme.test", from_requester=is_own_address)
    body = request_body("https://sign.test/d", brief(), people, set(), config, requester=desk)
    assert (body["from_email_name"], body["from_email"]) == ("Legal desk", from_email)
