"""The signers of a request, those asked in their place, and their entries at the provider. Pure."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from activities.core_signature.orders import embed_user
from activities.core_signature.wire import WireSigner
from activities.errors import StoreFailure
from activities.people.directory import Directory, UnknownPerson
from activities.people.person import Person
from activities.records.store import Store
from workflows.kinds import Kind
from workflows.model.signature import SignatureBrief
from workflows.model.subject import Participant, Role, Roster, Verify

Entries = Mapping[str, WireSigner | None]
"""The provider's entry of each of our signers."""
AnyRoster = TypeVar("AnyRoster", bound=Roster)
FARTHEST: Final = 3
"""Length of a chain of delegates that is searched."""
Test: TypeAlias = Callable[[Person], bool]
Delegate: TypeAlias = Callable[[Person], str | None]


class SignerSnapshot(BaseModel):
    """A person who was asked; `instead_of` is the signer whom they replaced, at sending or later."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    person: str
    order: int
    role: Role
    email: str = Field(repr=False)
    embed_user: str | None = None
    """The user of the signing page as sent to the provider, if one was requested."""
    instead_of: str | None = None


Places = tuple[SignerSnapshot, ...]


class SignerSnapshots:
    """Stored signers of requests; raises `StoreFailure`. Written before the provider is called, whose answer may be
    lost, and only appended to.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(self, request: str, places: Sequence[SignerSnapshot]) -> None:
        """Store what is about to be sent; idempotent."""
        workflow_id = Kind.REQUEST.workflow_id(request)
        await self._store.people.add_asked(workflow_id, _PLACES.dump_json(tuple(places), exclude_none=True))
        if stand_ins := [snapshot.person for snapshot in places if snapshot.instead_of]:
            await self._store.starts.came_in(workflow_id, stand_ins)

    async def read_snapshots(self, request: str) -> Places:
        """Everyone ever sent for a request."""
        contents = await self._store.people.list_asked(Kind.REQUEST.workflow_id(request))
        return tuple(snapshot for content in contents for snapshot in _places(content))


def match(
    signers: Sequence[Participant], places: Sequence[SignerSnapshot], wire_signers: Sequence[WireSigner]
) -> Entries:
    """The provider's entry of each of our signers, None where ambiguous."""
    # A sender who also signs is listed twice: the entry that must sign comes last and wins.
    entries = sorted(wire_signers, key=lambda entry: entry.needs_to_sign)
    entry_by_person = {signer.person: _entry_as_sent(signer, places, entries) for signer in signers}
    claimed = [entry for entry in entry_by_person.values() if entry is not None]
    # The sender whom the provider adds has no order.
    strangers = [
        entry for entry in entries if entry.order > 0 and not any(entry is claimed_entry for claimed_entry in claimed)
    ]
    lost = missing(signers, places, entry_by_person)
    return {
        signer.person: entry_by_person[signer.person] or _entry_by_order(signer, lost, strangers) for signer in signers
    }


def missing(
    signers: Sequence[Participant], places: Sequence[SignerSnapshot], entry_by_person: Entries
) -> tuple[Participant, ...]:
    """The signers without an entry who should have one; replaced signers have none."""
    known_people = {signer.person for signer in signers}
    replaced = {snapshot.instead_of for snapshot in places if snapshot.person in known_people}
    return tuple(
        signer for signer in signers if entry_by_person[signer.person] is None and signer.person not in replaced
    )


def folded(email: str) -> str:
    """An address normalised for comparison."""
    return email.strip().casefold()


@dataclass(frozen=True)
class SignerAssignment:
    """A request as sent: `people` are its signers by id, `stand_ins` replace some of them."""

    brief: SignatureBrief
    people: Mapping[str, Person]
    stand_ins: Mapping[str, Person]

    @property
    def people_asked(self) -> dict[str, Person]:
        """Those whom Core Signature asks, by id, in the order of the signers."""
        people = [self.stand_ins.get(signer, person) for signer, person in self.people.items()]
        return {person.id: person for person in people}

    @property
    def brief_as_asked(self) -> SignatureBrief:
        """The request with stand-ins in the places of the absent."""
        places = [(signer, self.stand_ins.get(signer.person)) for signer in self.brief.people]
        return self.brief.replace(
            people=tuple(signer.replace(person=stand_in.id) if stand_in else signer for signer, stand_in in places)
        )

    def with_addresses(self, address: Callable[[Person], Person]) -> "SignerAssignment":
        """With what `address` makes of each person."""
        people, stand_ins = ({id: address(person) for id, person in of.items()} for of in (self.people, self.stand_ins))
        return replace(self, people=people, stand_ins=stand_ins)

    @property
    def group_places(self) -> frozenset[str]:
        """Who is asked for a group: our notices go to all of it, so Core Signature is to mail nobody of it."""
        return frozenset(signer.person for signer in self.brief_as_asked.people if signer.shares_place)

    def places(self, reachable: Collection[str]) -> Places:
        """The snapshots to store; only `reachable` people get a signing page of their own."""
        return tuple(
            SignerSnapshot(
                person=sent.person,
                order=sent.order,
                role=sent.role,
                email=self.people_asked[sent.person].email,
                embed_user=_page_user(self.brief.id, sent) if sent.person in reachable else None,
                instead_of=named.person if named.person != sent.person else None,
            )
            for named, sent in zip(self.brief.people, self.brief_as_asked.people, strict=True)
        )


def stand_ins_of(
    roster: Roster, places: Sequence[SignerSnapshot], wire_signers: Sequence[WireSigner]
) -> dict[str, str]:
    """Whom Core Signature asked instead of each signer, as decided at sending."""
    addresses = {folded(entry.email) for entry in wire_signers if entry.needs_to_sign}
    people_there = {snapshot.person for snapshot in places if folded(snapshot.email) in addresses}
    named = {signer.person for signer in roster.people} - people_there
    return {
        snapshot.instead_of: snapshot.person
        for snapshot in places
        if snapshot.instead_of in named and snapshot.person in people_there
    }


def insert_successors(roster: AnyRoster, successors: Mapping[str, str]) -> AnyRoster:
    """The request with each successor right after the signer whom they replace, as a workflow knows them."""
    known_people = {signer.person for signer in roster.people}

    def with_successor(signer: Participant) -> tuple[Participant, ...]:
        successor = successors.get(signer.person)
        return (
            (signer,) if successor is None or successor in known_people else (signer, signer.replace(person=successor))
        )

    return roster.replace(
        people=tuple(participant for signer in roster.people for participant in with_successor(signer))
    )


def _page_user(request: str, signer: Participant) -> str | None:
    return None if signer.role is Role.COPY else embed_user(request, signer.person)


class CoreStandIns:
    """Finds stand-ins before a request is sent; those asked then stay (`SignerSnapshots`)."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def at_sending(
        self, brief: SignatureBrief, people: Mapping[str, Person], now: datetime | None
    ) -> SignerAssignment:
        """Replaces signers who are absent at `now`; nobody is absent if it is None."""

        def present(person: Person) -> bool:
            return now is None or brief.in_person or not person.for_kind(brief.kind).absent_at(now)

        def find_delegate(person: Person) -> str | None:
            return person.for_kind(brief.kind).delegate_at(now) if now else person.delegate

        return SignerAssignment(brief, people, await self._find_stand_ins(brief, people, present, find_delegate))

    async def _find_stand_ins(
        self, brief: SignatureBrief, people: Mapping[str, Person], present: Test, delegate: Delegate
    ) -> dict[str, Person]:
        # Core Signature tells signers apart by address, so one address can have one place only.
        taken_addresses = {folded(person.address) for person in people.values()}
        stand_ins: dict[str, Person] = {}
        for signer in brief.people:
            # Of a group others are asked as well.
            if signer.role is Role.COPY or signer.shares_place or present(people[signer.person]):
                continue
            stand_in = await self._first_delegate(people[signer.person], present, delegate)
            if stand_in is None or (signer.verify is Verify.PHONE and not stand_in.phone):
                continue
            if stand_in.id != brief.requester and folded(stand_in.address) not in taken_addresses:
                stand_ins[signer.person] = stand_in
                taken_addresses.add(folded(stand_in.address))
        return stand_ins

    async def _first_delegate(self, person: Person, present: Test, delegate: Delegate) -> Person | None:
        for _ in range(FARTHEST):
            if (delegate_id := delegate(person)) is None:
                return None
            try:
                person = await self._directory.person(delegate_id)
            except UnknownPerson:
                return None
            if present(person):
                return person
        return None


_PLACES: Final = TypeAdapter(Places)


def _places(content: bytes) -> Places:
    try:
        return _PLACES.validate_json(content)
    except ValidationError:
        # The exception's text would repeat addresses.
        raise StoreFailure("who was asked to sign this request cannot be read from the store") from None


def _entry_as_sent(
    signer: Participant, places: Sequence[SignerSnapshot], entries: Sequence[WireSigner]
) -> WireSigner | None:
    theirs = [snapshot for snapshot in places if snapshot.person == signer.person]
    addresses = {folded(snapshot.email) for snapshot in theirs}
    users = {snapshot.embed_user for snapshot in theirs if snapshot.embed_user}
    by_address = [entry for entry in entries if folded(entry.email) in addresses]
    by_user = [entry for entry in entries if entry.embed_url_user_id in users]
    # A signer who was replaced back and forth is listed twice too, the current entry last.
    return next(reversed(by_address or by_user), None)


def _entry_by_order(
    signer: Participant, lost: Sequence[Participant], strangers: Sequence[WireSigner]
) -> WireSigner | None:
    signs = signer.role is not Role.COPY
    peers = [peer for peer in lost if (peer.order, peer.role is not Role.COPY) == (signer.order, signs)]
    candidates = [entry for entry in strangers if (entry.order, entry.needs_to_sign) == (signer.order, signs)]
    return candidates[0] if peers == [signer] and len(candidates) == 1 else None
