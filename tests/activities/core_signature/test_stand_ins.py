"""Absence at sending: the delegate is asked from the start, and a take-over tells the same story."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

from activities.core_signature import orders
from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.service import CoreSignatureService
from activities.core_signature.signers import CoreStandIns, stand_ins_of
from activities.core_signature.wire import WireRequest, WireSigner
from activities.people.devices import KnownDevice
from activities.people.directory import UnknownPerson
from activities.people.file_directory import FileDirectory
from activities.people.mailbox import NO_SUBSTITUTES, MailboxSubstitutes
from activities.people.person import Absence, Person, PushDevice
from activities.records.store import Store
from activities.temporal.leases import StillOurs, nobody_else
from deploy.sandbox.server import RunningSandbox
from tests.activities.core_signature.conftest import Acting, arm, calls, config_for, entries
from tests.activities.core_signature.requests import brief
from tests.messages import english_of
from workflows.model.signature import (
    CreateOrder,
    ForwardOrder,
    ForwardReport,
    ReportedDocument,
    SignatureBrief,
    SignerState,
    Substitution,
)
from workflows.model.subject import Participant, Role

PEOPLE = """
people:
  - {id: chair, name: Chair, email: chair@x.test, zone: UTC, delegate: deputy,
     absent: [{from: 2026-12-01, until: 2026-12-20}]}
  - {id: deputy, name: Deputy, email: deputy@x.test, zone: UTC, delegate: second,
     absent: [{from: 2026-12-03, until: 2026-12-20}], devices: [{token: deputy~1, platform: ios}]}
  - {id: second, name: Second, email: second@x.test, zone: UTC, delegate: third,
     absent: [{from: 2026-12-05, until: 2026-12-20}]}
  - {id: third, name: Third, email: third@x.test, zone: UTC, delegate: fourth,
     absent: [{from: 2026-12-07, until: 2026-12-20}]}
  - {id: fourth, name: Fourth, email: fourth@x.test, zone: UTC}
  - {id: reviewer, name: Reviewer, email: reviewer@x.test, zone: UTC, delegate: deputy,
     absent: [{from: 2026-12-01, until: 2026-12-20}]}
  - {id: buyer, name: Buyer, email: buyer@x.test, zone: UTC, delegate: legal-desk,
     absent: [{from: 2026-12-01, until: 2026-12-20}]}
  - {id: legal-desk, name: Legal Desk, email: legal@x.test, zone: UTC, delegate: fourth}
  - {id: twin, name: Twin, email: DEPUTY@x.test, zone: UTC}
  - {id: stayer, name: Stayer, email: stayer@x.test, zone: UTC}
"""
FIRST_DAY: Final = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def directory(tmp_path: Path, store: Store) -> FileDirectory:
    """Delegates of delegates, all absent from some day on."""
    file = tmp_path / "people.yaml"
    file.write_text(PEOPLE)
    return FileDirectory(file, store)


def asking(request: SignatureBrief, *people: str) -> SignatureBrief:
    """The request with these signers, one after the other."""
    return request.replace(people=tuple(Participant(person=person, order=n) for n, person in enumerate(people, 1)))


def addresses(sandbox: RunningSandbox) -> list[str]:
    """Whom Core Signature was asked to ask."""
    [request_entry] = entries(sandbox, "request_created")
    return [str(address) for address in request_entry["signers"]]


@pytest.mark.parametrize(
    ("day", "addressee"),
    [
        (datetime(2026, 11, 30, 9, tzinfo=UTC), "chair"),
        (datetime(2026, 12, 1, tzinfo=UTC), "deputy"),
        (datetime(2026, 12, 3, 9, tzinfo=UTC), "second"),
        (datetime(2026, 12, 5, 9, tzinfo=UTC), "third"),
        (datetime(2026, 12, 7, 9, tzinfo=UTC), "chair"),
        (datetime(2026, 12, 21, tzinfo=UTC), "chair"),
        (None, "chair"),
    ],
)
async def test_the_first_delegate_who_is_there_is_asked_from_the_start(
    sandbox: RunningSandbox,
    service: CoreSignatureService,
    request_brief: SignatureBrief,
    act: Acting,
    day: datetime | None,
    addressee: str,
) -> None:
    await act(service.create, CreateOrder(brief=asking(request_brief, "chair"), now=day))
    assert addresses(sandbox) == [f"{addressee}@x.test"]


async def test_nobody_stands_in_for_who_acknowledges_in_person(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting
) -> None:
    in_person = asking(request_brief, "chair").replace(in_person=True)
    await act(service.create, CreateOrder(brief=in_person, now=FIRST_DAY))
    assert addresses(sandbox) == ["chair@x.test"]


async def test_nobody_stands_in_for_a_group_whose_others_are_asked_too(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting
) -> None:
    group = asking(request_brief, "chair").replace(people=(Participant(person="chair", order=1, team="board"),))
    await act(service.create, CreateOrder(brief=group, now=FIRST_DAY))
    assert addresses(sandbox) == ["chair@x.test"]


async def test_both_are_told_and_the_stand_in_takes_order_role_and_link(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting
) -> None:
    signers = (Participant(person="chair", order=1, role=Role.APPROVE), Participant(person="stayer", order=2))
    order = CreateOrder(brief=request_brief.replace(people=signers), now=FIRST_DAY)
    document_state: ReportedDocument = await act(service.create, order)
    assert document_state.substituted == (Substitution(from_="chair", to="deputy"),)
    assert [(signer.person, signer.state, signer.reason) for signer in document_state.signers] == [
        ("chair", SignerState.REASSIGNED, "absence"),
        ("deputy", SignerState.WAITING, None),
        ("stayer", SignerState.WAITING, None),
    ]
    assert document_state.turn == 1
    [call] = calls(sandbox, "/signature-requests/", "POST")
    deputy, _ = call["body"]["signers"]
    assert deputy == {
        "email": "deputy@x.test",
        "full_name": "Deputy",
        "order": 1,
        "needs_to_sign": True,
        "approve_only": True,
        "language": "en",
        "embed_url_user_id": orders.embed_user("msa-0042", "deputy"),
    }


@pytest.mark.parametrize(
    ("signers", "addressees"),
    [
        (["buyer"], ["buyer"]),
        (["chair", "deputy"], ["chair", "deputy"]),
        (["chair", "reviewer"], ["deputy", "reviewer"]),
        (["chair", "twin"], ["chair", "DEPUTY"]),
    ],
    ids=["the requester", "another signer", "somebody who stands in already", "an address that is asked already"],
)
async def test_who_may_not_stand_in_leaves_the_absent_signer_asked(
    sandbox: RunningSandbox,
    service: CoreSignatureService,
    request_brief: SignatureBrief,
    act: Acting,
    signers: list[str],
    addressees: list[str],
) -> None:
    await act(service.create, CreateOrder(brief=asking(request_brief, *signers), now=FIRST_DAY))
    assert addresses(sandbox) == [f"{person}@x.test" for person in addressees]


async def test_nobody_stands_in_for_who_only_gets_a_copy(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting
) -> None:
    signers = (Participant(person="stayer", order=1), Participant(person="chair", order=2, role=Role.COPY))
    await act(service.create, CreateOrder(brief=request_brief.replace(people=signers), now=FIRST_DAY))
    assert addresses(sandbox) == ["stayer@x.test", "chair@x.test"]


@pytest.mark.parametrize(
    ("old_text", "new_text"),
    [("", ""), ("2026-12-0", "2026-12-1"), ("2026-12-05", "2026-12-02")],
    ids=["nothing has changed", "everybody is back", "the stand-in has left too"],
)
async def test_a_take_over_tells_what_was_decided_when_it_was_sent(
    sandbox: RunningSandbox,
    service: CoreSignatureService,
    request_brief: SignatureBrief,
    act: Acting,
    tmp_path: Path,
    old_text: str,
    new_text: str,
) -> None:
    order = CreateOrder(brief=asking(request_brief, "chair", "stayer"), now=datetime(2026, 12, 4, tzinfo=UTC))
    arm(sandbox, method="POST", path="/api/v1/signature-requests/", fault="cut")
    with pytest.raises(ApplicationError):
        await act(service.create, order)
    (tmp_path / "people.yaml").write_text(PEOPLE.replace(old_text, new_text) if old_text else PEOPLE)
    document_state: ReportedDocument = await act(service.create, order)
    assert document_state.substituted == (Substitution(from_="chair", to="second"),)
    assert addresses(sandbox) == ["second@x.test", "stayer@x.test"]
    assert await act(service.create, order) == document_state


async def test_a_request_made_meanwhile_tells_who_was_asked(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting
) -> None:
    arm(sandbox, method="POST", path="/api/v1/signature-requests/", fault="400", commit=True)
    order = CreateOrder(brief=asking(request_brief, "chair"), now=FIRST_DAY)
    document_state: ReportedDocument = await act(service.create, order)
    assert document_state.substituted == (Substitution(from_="chair", to="deputy"),)


async def test_a_provider_that_does_not_repeat_the_signers_is_asked_for_them(
    sandbox: RunningSandbox, directory: FileDirectory, store: Store, request_brief: SignatureBrief, act: Acting
) -> None:
    class Taciturn(CoreSignatureClient):
        """Answers a creation without its signers."""

        async def create_request(
            self, body: Mapping[str, object], private: Iterable[str] = (), still_ours: StillOurs = nobody_else
        ) -> WireRequest:
            return (await super().create_request(body, private, still_ours)).model_copy(update={"signers": ()})

    client = Taciturn(config_for(sandbox))
    order = CreateOrder(brief=asking(request_brief, "chair"), now=FIRST_DAY)
    document_state: ReportedDocument = await act(CoreSignatureService(client, directory, store).create, order)
    await client.aclose()
    assert document_state.substituted == (Substitution(from_="chair", to="deputy"),)


async def test_a_stand_in_can_be_replaced_but_not_by_the_one_they_stand_in_for(
    service: CoreSignatureService, request_brief: SignatureBrief, act: Acting
) -> None:
    order = CreateOrder(brief=asking(request_brief, "chair"), now=FIRST_DAY)
    document_state: ReportedDocument = await act(service.create, order)
    subject = request_brief.replace(
        people=(Participant(person="chair", order=1), Participant(person="deputy", order=1))
    )
    back = ForwardOrder(subject=subject, document=document_state.document, from_="deputy", to="chair", reason="manual")
    report: ForwardReport = await act(service.forward, back)
    assert english_of(report.refused) == "chair is already one of the signers"
    report = await act(service.forward, back.replace(to="stayer"))
    assert report.seen is not None
    assert [signer.state for signer in report.seen.signers][1:] == [SignerState.REASSIGNED, SignerState.WAITING]


IDS: Final = tuple("abcdefg")
AWAY: Final = Absence.model_validate({"from": "2026-12-01", "until": "2026-12-20"})


@dataclass(frozen=True)
class Office:
    """A directory in memory: who delegates to whom, and who is away."""

    delegates: dict[str, str | None]
    away: Collection[str]
    warning: str | None = None
    secret: SecretStr | None = None
    substitutes: MailboxSubstitutes = NO_SUBSTITUTES

    async def person(self, id: str, beside: str | None = None) -> Person:
        """Everybody has an address of their own."""
        if id not in self.delegates:
            raise UnknownPerson(id)
        absent = (AWAY,) if id in self.away else ()
        return Person(id=id, name=id, email=f"{id}@x.test", zone="UTC", delegate=self.delegates[id], absent=absent)

    async def group(self, name: str) -> tuple[str, ...]:
        """No groups."""
        return ()

    async def substitute_of(self, leaver: str) -> str | None:
        """Nobody."""
        return None

    async def devices(self, person: Person) -> tuple[PushDevice, ...]:
        """No devices."""
        return ()

    async def known_devices(self, person: Person) -> tuple[KnownDevice, ...]:
        """No devices."""
        return ()

    async def mark_gone(self, person: Person, device: PushDevice, reason: str) -> None:
        """Nothing to mark."""


@given(
    delegates=st.fixed_dictionaries({id: st.sampled_from((None, "unknown", *IDS)) for id in IDS}),
    absent_people=st.sets(st.sampled_from(IDS)),
    away_before=st.sets(st.sampled_from(IDS)),
    signers=st.lists(st.sampled_from(IDS), min_size=1, max_size=4, unique=True),
    requester=st.sampled_from(IDS),
)
async def test_whatever_an_earlier_attempt_meant_to_send_the_document_tells_who_was_asked(
    delegates: dict[str, str | None], absent_people: set[str], away_before: set[str], signers: list[str], requester: str
) -> None:
    request = asking(brief(requester=requester), *signers)
    office = Office(delegates, absent_people)
    people = {id: await office.person(id) for id in signers}
    sent = await CoreStandIns(office).at_sending(request, people, FIRST_DAY)
    never_sent = await CoreStandIns(Office(delegates, away_before)).at_sending(request, people, FIRST_DAY)
    listed = [WireSigner(email=person.email, order=n) for n, person in enumerate(sent.people_asked.values(), 1)]
    places = (*never_sent.places(()), *sent.places(()))
    stand_in_by_person = stand_ins_of(request, places, listed)
    assert stand_in_by_person == {person: stand_in.id for person, stand_in in sent.stand_ins.items()}
    assert len(sent.people_asked) == len(signers)
    assert requester not in {stand_in.id for stand_in in sent.stand_ins.values()}
    assert not absent_people & {stand_in.id for stand_in in sent.stand_ins.values()}
