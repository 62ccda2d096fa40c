"""The people beside a reader: who asks them, in whose company's name and what for, and who stands in for them."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from activities.directory import COLLEAGUES_AT_MOST, DirectoryFailure, Office
from activities.person import Person
from activities.reader import Reader
from activities.requests.cover_sheet import CoverSheet
from activities.store.failures import StoreFailure
from activities.store.home import StoragePrefix
from activities.store.store import Store
from activities.store.texts import Reference
from starter.page.standing import people_in
from workflows.model.views import Shown, TaskShow


@dataclass(frozen=True)
class Asker:
    """What a page says of whoever asks, each part empty where it is not known; `message` is a stranger's text."""

    name: str = ""
    company: str = ""
    message: str = ""
    has_file: bool = False
    """Whether there is a document of ours to draw."""
    version: str = ""
    """Of the document, with the day from which on it is in force, and the name of whoever approved it."""
    effective: date | None = None
    approver: str = ""


NOBODY: Final = Asker()


@dataclass(frozen=True)
class StandIns:
    """To whom somebody might hand over."""

    people: tuple[Person, ...] = ()
    find: bool = False
    """Whether there are more, of whom one is looked for by name."""
    nobody: bool = False
    """Whether nobody has the name that was looked for."""


def _may_hand_over(shown: Shown, person: str) -> bool:
    return any(one.person == person and one.hand_over for one in shown.choices)


class WhoAsks:
    """Looks up, for the page of a request, the people beside its reader; what cannot be looked up is left out."""

    def __init__(self, directory: Office, store: Store, company: str = "") -> None:
        self._directory = directory
        self._store = store
        self._company = company

    async def __call__(self, request: str | None, requester: str) -> Asker:
        """Who asks, by the requester's id; what else there is to say of it stands beside a request alone."""
        cover = await self._cover(request) if request else None
        message = await self._message(request, cover) if request and cover else ""
        asker = Asker(await self._name(requester), self._company, message, bool(cover and cover.sha256))
        if cover is None or not (cover.version or cover.effective):
            return asker
        approver = await self._name(cover.approver) if cover.approver else ""
        return replace(asker, version=cover.version, effective=cover.effective, approver=approver)

    async def stand_ins(self, shown: Shown, person: Person | None, words: str = "", also: str = "") -> StandIns:
        """To whom somebody might hand over: the colleagues whom a task names, else whom the directory names for them.

        Where the directory names nobody it is one of those who work with them: of many one is looked for by `words` of
        the name, or `also` known by the id. Whom the directory does not know, or while it does not answer, is left out.
        """
        delegate = person.delegate if person else None
        named = shown.colleagues if isinstance(shown, TaskShow) else ()
        beside = shown.type.workflow_id(shown.id)
        if person and not named and not delegate and _may_hand_over(shown, person.id):
            return await self._colleagues(person.id, words, also)
        found = [await self._person(id, beside) for id in named or filter(None, (delegate,))]
        return StandIns(tuple(one for one in found if one))

    async def successors(self, shown: Shown, person: Person | None) -> tuple[Person, ...]:
        """Who has the place that somebody gave away, as far as they may know it: one to whom they might have."""
        given = [one.to for one in shown.escalations if person and one.from_ == person.id]
        known = (await self.stand_ins(shown, person)).people
        if not person or not given or any(one.id in given for one in known):
            return known
        return (await self._colleagues(person.id, "", given[-1])).people

    async def _colleagues(self, person: str, words: str, also: str) -> StandIns:
        try:
            found = await self._directory.colleagues(person, words, also)
        except DirectoryFailure:
            return StandIns()
        looked = bool(words.strip())
        return StandIns(found.people, find=found.total > COLLEAGUES_AT_MOST, nobody=looked and not found.people)

    async def names_of(self, shown: Shown) -> dict[str, str]:
        """What those who were asked are called, by their ids, as far as the directory says it."""
        beside = shown.type.workflow_id(shown.id)
        ids = {*people_in(shown), *(line.person for line in shown.lines), *(one.person for one in shown.questions)}
        ids |= {line.target for line in shown.handoffs}
        found = {id: await self._name(id, beside) for id in ids}
        return {id: name for id, name in found.items() if name}

    async def _name(self, person: str, beside: str | None = None) -> str:
        found = await self._person(person, beside)
        return found.name if found else ""

    async def _person(self, id: str, beside: str | None) -> Person | None:
        try:
            return await self._directory.person(id, beside)
        except DirectoryFailure:
            return None

    async def _message(self, request: str, cover: CoverSheet) -> str:
        """Nothing once it was erased."""
        reference = Reference.read(cover.message or "")
        if reference is None:
            return cover.message or ""
        try:
            return await self._store.texts.read(StoragePrefix.of_request(request), reference) or ""
        except StoreFailure:
            return ""

    async def _cover(self, request: str) -> CoverSheet | None:
        try:
            return await CoverSheet.read(self._store, request)
        except (StoreFailure, ValueError):
            return None


def edition_of(asker: Asker, reader: Reader, now: datetime) -> tuple[str, ...]:
    """Which version is acknowledged, from when on it is in force, and who approved it, as far as it is known."""
    say, effective, told = reader.language.say, asker.effective, []
    when = reader.date(effective) if effective else ""
    if effective and asker.version:
        in_force = effective <= reader.day(now)
        known = {"version": asker.version, "date": when}
        told.append(
            say("You acknowledge version {version}, in force since {date}.", **known)
            if in_force
            else say("You acknowledge version {version}, in force from {date} on.", **known)
        )
    elif asker.version:
        told.append(say("You acknowledge version {version}.", version=asker.version))
    elif effective:
        told.append(say("In force from {date} on.", date=when))
    if asker.approver:
        told.append(say("Approved by {who}.", who=asker.approver))
    return tuple(told)
