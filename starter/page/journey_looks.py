"""What the page of a customer's onboarding knows: its whole picture, and who of the customer each part waits for."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from activities.directory import Directory, DirectoryFailure
from starter.page.recent_looks import Look
from workflows.kinds import Kind, named, referred
from workflows.model.lines import PartLine
from workflows.model.subject import Status
from workflows.model.views import OnboardingShow

PEOPLE_LOOKED_UP_AT_MOST: Final = 60
"""Of those for whom its parts wait; the others are taken for people of ours."""


@dataclass(frozen=True)
class AskedPerson:
    """Somebody for whom a part waits: `id` is what the part calls them, `who` is the same wherever they are asked."""

    id: str
    who: str
    since: datetime


@dataclass(frozen=True)
class JourneySeen:
    """An onboarding as it stands, with whom each part waits for that answered, by its id.

    `customers` are who its customer and their colleagues are, by their ids in the onboarding.
    """

    shown: OnboardingShow
    customers: Mapping[str, str]
    asked: Mapping[str, tuple[AskedPerson, ...]]


class JourneyLook:
    """Looks at an onboarding once for everybody; never fails, as its `look` does not."""

    def __init__(self, look: Look, directory: Directory) -> None:
        self._look = look
        self._directory = directory

    async def __call__(self, reference: str) -> JourneySeen | None:
        """How it stands, None when nobody says it."""
        shown = await self._look(reference)
        if not isinstance(shown, OnboardingShow) or (shown.partial and not shown.status.ended):
            return None
        ids = (shown.customer, *shown.colleagues)
        whos = await asyncio.gather(*(self._who(id, referred(reference).workflow_id) for id in ids))
        return JourneySeen(shown, dict(zip(ids, whos, strict=True)), await self._asked(shown))

    async def _asked(self, shown: OnboardingShow) -> dict[str, tuple[AskedPerson, ...]]:
        theirs = {part.id: part for stage in shown.stages for part in stage.parts if _may_be_theirs(part)}
        waiting = [one for one in shown.waiting_for if one.part in theirs][:PEOPLE_LOOKED_UP_AT_MOST]
        whos = await asyncio.gather(*(self._who(one.person, theirs[one.part].workflow or "") for one in waiting))
        found: dict[str, tuple[AskedPerson, ...]] = defaultdict(tuple)
        for one, who in zip(waiting, whos, strict=True):
            found[one.part] += (AskedPerson(one.person, who, one.since),)
        return found

    async def _who(self, id: str, beside: str) -> str:
        """The same for one person everywhere: who stands in full has another id in each file, and one address."""
        try:
            return (await self._directory.person(id, beside)).email.casefold()
        except DirectoryFailure:
            return f"{beside}/{id}"


def _may_be_theirs(part: PartLine) -> bool:
    """Whether it has answered, and may ask one of the customer's people: an agreement may ask a colleague of theirs."""
    return part.status not in (None, Status.CONVERTING) and (part.told or kind_of(part) is Kind.REQUEST)


def kind_of(part: PartLine) -> Kind | None:
    """What runs a part, None before it was started."""
    what = named(part.workflow) if part.workflow else None
    return what.kind if what else None
