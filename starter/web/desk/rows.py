"""One row of a list as somebody reads it: in their language, on their clock, and no more than concerns them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from activities.campaign.member_status import MemberStatus
from activities.notifications.links import at_desk
from activities.people.language import Language, phrase
from activities.people.reader import Deadline, Reader
from starter.queries.campaign_people import SoFar
from starter.queries.filters import SETTLED
from starter.queries.lists import RequestLine
from starter.queries.lookup import SYSTEMS
from starter.web.status import Chip, problems_of, status_chip
from workflows.kinds import Kind, named
from workflows.onboarding.state import DECISION

MORE: Final = "+more"
UNTITLED: Final = {
    Kind.REQUEST: phrase("A document of kind {kind}"),
    Kind.TASK: phrase("A task of kind {kind}"),
    Kind.ONBOARDING: phrase("An onboarding"),
    Kind.CAMPAIGN: phrase("A campaign"),
}
"""What something is called before those who may not know its name."""

Name = Callable[[str], Awaitable[str]]
"""What people call somebody: their name in the directory, else their id."""


@dataclass(frozen=True)
class ListRow:
    """What stands in a list; `path` leads to its page, empty where there is none."""

    path: str
    title: str
    kind: str
    asked_by: str
    status: Chip
    waiting_for: str
    since: str
    due: Deadline | None
    """Of what has ended, or waits for a day of many zones, the exact one alone."""
    overdue: bool
    problems: tuple[str, ...]
    stage: str = ""
    """Of an onboarding, as its file calls it."""
    so_far: SoFar | None = None
    """Of a campaign, as far as it is known."""
    opens: str = ""
    """Of one that has not begun."""
    group: str = ""
    """Under which name it stands, where rows stand in groups."""


NameBeside = Callable[[str, str | None], Awaitable[str]]
"""The same also of whoever stands in full in the file of a workflow."""
Label = Callable[[str, Language], Awaitable[str]]
"""What a kind is called in a language."""


@dataclass(frozen=True)
class RowReader:
    """How rows are told to one reader."""

    reader: Reader
    name: NameBeside
    label: Label
    now: datetime

    async def row(self, line: RequestLine, *, titled: bool = True) -> ListRow:
        """The row of a line; one that is not `titled` does not say what the document is called."""
        language, what = self.reader.language, named(line.workflow_id)
        untitled, kind = UNTITLED[what.kind if what else Kind.REQUEST], await self.label(line.kind, language)
        return ListRow(
            path=at_desk(what) if what else "",
            title=(line.document or line.id) if titled else language.say(untitled, kind=kind),
            kind=kind,
            asked_by=await self._asker(line),
            status=status_chip(line.status, language, what.kind if what else None),
            waiting_for=await self._people(line, titled=titled) if line.open else "",
            since=self._since(line.since) if line.since and line.open and line.waiting_for else "",
            due=self._due(line),
            overdue=line.overdue,
            problems=problems_of(language, line.problem, line.attention, line.trouble),
            stage=line.stage if line.open else "",
        )

    async def _asker(self, line: RequestLine) -> str:
        """Who asks; what an onboarding asks to decide it asks by itself."""
        if line.kind == DECISION:
            return SYSTEMS["countersign"]
        return await self.name(line.requester, None) if line.requester else ""

    def _due(self, line: RequestLine) -> Deadline | None:
        if line.last_day:
            found = Deadline.of_day(line.last_day, self.reader, self.now)
        elif line.due_at:
            found = Deadline.of(line.due_at, self.reader, self.now)
        else:
            return None
        return found if line.open and line.stage != SETTLED else replace(found, words="")

    def _since(self, instant: datetime) -> str:
        """Since when somebody is waited for, never ahead of now: the clock of a request may have been moved."""
        return self.reader.language.say("since {when}", when=self.reader.shortly(min(instant, self.now), self.now))

    async def _people(self, line: RequestLine, *, titled: bool) -> str:
        """Whom it waits for; who stands in full in a file is named only to those who may know what it is."""
        more, beside = self.reader.language.say("others"), line.workflow_id if titled else None
        return self.reader.language.enumerate(
            [more if id == MORE else await self.name(id, beside) for id in line.waiting_for]
        )


STANDINGS: Final[Mapping[str, str]] = {
    MemberStatus.NOT_TOLD: phrase("not asked yet"),
    MemberStatus.TOLD: phrase("asked"),
    MemberStatus.OPENED: phrase("has opened it"),
    MemberStatus.ACKNOWLEDGED: phrase("has acknowledged"),
    MemberStatus.LATE: phrase("has acknowledged late"),
    MemberStatus.DECLINED: phrase("has declined"),
    MemberStatus.EXPIRED: phrase("let the time pass"),
    MemberStatus.CANCELLED: phrase("the request was cancelled"),
    MemberStatus.FAILED: phrase("could not be asked"),
    MemberStatus.EXEMPT: phrase("need not acknowledge"),
    MemberStatus.DROPPED: phrase("has left"),
    MemberStatus.ERROR: phrase("stands in a faulty row"),
    MemberStatus.NOT_STARTED: phrase("is not asked any more"),
}
"""How somebody of an audience stands."""
