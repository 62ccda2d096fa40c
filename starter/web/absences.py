"""The page "I am away", at the desk and behind a link: when somebody is away, a form to enter it, buttons to end it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from activities.notifications.words import isolated
from activities.people.absences import AbsenceRefused, WantedAbsence
from activities.people.company_directory import CompanyDirectory
from activities.people.directory import UnknownPerson
from activities.people.language import phrase
from activities.people.person import Person
from activities.people.reader import Reader
from starter.queries.absences import AbsenceLine, Absences, AbsencesShow
from starter.temporal.connection import Context
from starter.web.acting.forms import refusal_text
from starter.web.intake.catalogue import KindCatalogue
from workflows.model.commands import KnownBy
from workflows.model.rejections import Rejection

AWAY: Final = "away"
"""The path of the page."""
ENTERED, ENDED = "entered", "ended"
_DONE: Final = {
    ENTERED: phrase("The absence is entered. Reminders that are affected are planned anew within a minute."),
    ENDED: phrase("The absence is ended. Reminders that are affected are planned anew within a minute."),
}


@dataclass(frozen=True)
class AbsenceText:
    """One absence in words; `id` is empty for one of the people file."""

    when: str
    acts: str
    kinds: str
    entered: str
    told_text: str
    id: str


@dataclass(frozen=True)
class AwayVisit:
    """Whose absences, who looks at them or enters them, and the path that the forms are sent to."""

    person: Person
    reader: Reader
    visitor: str
    known_by: KnownBy
    address: str
    token: str
    back: str
    form: Mapping[str, str]
    confirmation: str = ""
    refusal: str = ""

    @property
    def is_own(self) -> bool:
        return self.person.id == self.visitor

    @property
    def actor(self) -> str:
        return self.known_by.actor(self.visitor)


class AwayForms:
    def __init__(
        self,
        context: Context,
        directory: CompanyDirectory,
        kinds: KindCatalogue,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.context: Final = context
        self.directory: Final = directory
        self.clock: Final = clock
        self._absences = Absences(context, directory)
        self._kinds = kinds

    async def values(self, visit: AwayVisit) -> dict[str, Any]:
        """What `away.html` shows. Raises `DirectoryFailure`, `StoreFailure`."""
        say, person, today = visit.reader.language.say, visit.person, visit.reader.day(self.clock())
        view = await self._absences.show(person.id, self.clock())
        colleagues = await self.directory.colleagues(person.id)
        delegate = await self._name(person.delegate) if person.delegate else ""
        confirmation = _DONE.get(visit.confirmation, "")
        return {
            "visit": visit,
            "heading": await self._heading(view, visit),
            "done": say(confirmation) if confirmation else "",
            "absences": [await self._absence_text(line, visit) for line in view.absences],
            "colleagues": [(colleague.id, colleague.name) for colleague in colleagues.people],
            "nobody": say("{name}, as usual", name=isolated(delegate)) if delegate else say("Nobody"),
            "kinds": await self._kinds_concerning(visit),
            "first_day": visit.form.get("from", today.isoformat()),
            "last_day": visit.form.get("until", ""),
            "today": today.isoformat(),
            "most": (today + timedelta(days=2 * 365)).isoformat(),
        }

    async def _heading(self, view: AbsencesShow, visit: AwayVisit) -> str:
        """While they are away for everything: until when, and who sees to it."""
        say, now, name = visit.reader.language.say, self.clock(), isolated(visit.person.name)
        present = [line for line in view.absences if not line.kinds and line.begins <= now < line.ends]
        if not present:
            return say("I am away") if visit.is_own else say("{name} is away", name=name)
        last_day = visit.reader.day(max(line.ends for line in present) - timedelta(seconds=1))
        day = visit.reader.date_in_short(last_day, now)
        entered = [line for line in present if line.acts and line.entered_at]
        last_entered = max(entered, key=lambda line: line.entered_at or now, default=None)
        acts = last_entered.acts if last_entered else visit.person.delegate
        prefix = "" if visit.is_own else f"{name} · "
        if acts is None:
            return prefix + say("Away until {day}", day=day)
        return prefix + say("Away until {day}; {name} sees to it", day=day, name=isolated(await self._name(acts)))

    async def _kinds_concerning(self, visit: AwayVisit) -> list[tuple[str, str]]:
        """With labels; all kinds for somebody whom none concerned so far."""
        labels = await self._kinds.choices(visit.reader.language)
        concerning = await self.context.store.starts.kinds_concerning(visit.person.id)
        return [(kind, label) for kind, label in labels if kind in concerning] or list(labels)

    async def enter(self, visit: AwayVisit) -> str:
        """Why it is refused, in the reader's words; empty when it was entered."""
        try:
            absence, kinds = await self._read_form(visit.form), await self._kinds.choices(visit.reader.language)
            known_kinds = [kind for kind, _ in kinds]
            now = self.clock()
            await self._absences.enter(visit.person.id, absence, visit.actor, now, kinds=known_kinds or None)
        except AbsenceRefused as refused:
            refusal = refusal_text(visit.reader.language, refused.message)
            return visit.reader.language.say("This was not done: {why}.", why=refusal)
        return ""

    async def end(self, visit: AwayVisit) -> None:
        id = visit.form.get("absence", "")
        await self._absences.end(visit.person.id, visit.actor, self.clock(), id)

    async def _read_form(self, form: Mapping[str, str]) -> WantedAbsence:
        acts, kind = form.get("acts", "").strip(), form.get("kind", "")
        person = await self.directory.named(acts) if acts else None
        if acts and person is None:
            raise AbsenceRefused(Rejection.NOBODY_OF_THAT_NAME.to_message(), "acts")
        days = (_day(form.get("from", ""), "from"), _day(form.get("until", ""), "until"))
        return WantedAbsence(*days, person.id if person else None, (kind,) if kind else ())

    async def _absence_text(self, line: AbsenceLine, visit: AwayVisit) -> AbsenceText:
        language, reader = visit.reader.language, visit.reader
        begins, ends = reader.day(line.begins), reader.day(line.ends - timedelta(seconds=1))
        kinds = [await self._kinds.label(kind, language) for kind in line.kinds]
        counted = language.say_count(
            "{count} open entry takes it into account", "{count} open entries take it into account", line.told
        )
        return AbsenceText(
            when=reader.date(begins) if begins == ends else f"{reader.date(begins)} – {reader.date(ends)}",
            acts=language.say("{name} acts", name=isolated(await self._name(line.acts))) if line.acts else "",
            kinds=language.enumerate(kinds),
            entered=await self._entered(line, visit),
            told_text=""
            if line.id is None
            else counted
            if line.told_at
            else language.say("open entries take it into account in a moment"),
            id=line.id or "",
        )

    async def _entered(self, line: AbsenceLine, visit: AwayVisit) -> str:
        say = visit.reader.language.say
        if line.entered_by is None:
            return say("from the company's directory")
        author = KnownBy.name_in(line.entered_by)
        return "" if author == visit.person.id else say("entered by {name}", name=isolated(await self._name(author)))

    async def _name(self, id: str) -> str:
        """Else the id."""
        try:
            return (await self.directory.person(id)).name
        except UnknownPerson:
            return id


def _day(written: str, field: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise AbsenceRefused(Rejection.NO_DATE.to_message(), field) from None
