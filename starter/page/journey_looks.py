"""What the page of a customer's onboarding knows: the onboarding, and for whom its open parts wait, by one look."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from activities.people import Directory, DirectoryFailure
from starter.page.recent_looks import Look
from workflows.kinds import Kind, named, referred
from workflows.model.views import OnboardingShow, PartLine, RequestShow, TaskShow

PARTS_ASKED_AT_MOST: Final = 40
"""Open parts that one look asks; of the others the onboarding alone says how they stand."""
FRESH_SECONDS: Final = 2.0
"""Within which one look serves everybody who opens a page of an onboarding."""


@dataclass(frozen=True)
class Asked:
    """Somebody for whom a part waits: `id` is what the part calls them, `who` is the same wherever they are asked."""

    id: str
    who: str
    since: datetime


@dataclass(frozen=True)
class PartStands:
    """How an open part stands by itself."""

    waiting: tuple[Asked, ...]
    due_at: datetime | None


@dataclass(frozen=True)
class JourneySeen:
    """An onboarding as it stands; `customers` are who its customer and their colleagues are, by their ids in it."""

    shown: OnboardingShow
    customers: Mapping[str, str]
    parts: Mapping[str, PartStands]
    """By the ids of the parts."""


class JourneyLook:
    """Looks at an onboarding and at its open parts; never fails, as its `look` does not."""

    def __init__(self, look: Look, directory: Directory) -> None:
        self._look = look
        self._directory = directory

    async def __call__(self, reference: str) -> JourneySeen | None:
        """How it stands, None when nobody says it."""
        shown = await self._look(reference)
        if not isinstance(shown, OnboardingShow) or (shown.partial and not shown.status.ended):
            return None
        beside = referred(reference).workflow_id
        ids = (shown.customer, *shown.colleagues)
        whos = await asyncio.gather(*(self._who(id, beside) for id in ids))
        asked = () if shown.status.ended else tuple(_open_parts(shown))[:PARTS_ASKED_AT_MOST]
        stand = await asyncio.gather(*(self._stands(workflow) for _, workflow in asked))
        known = {part.id: one for (part, _), one in zip(asked, stand, strict=True) if one}
        return JourneySeen(shown, dict(zip(ids, whos, strict=True)), known)

    async def _stands(self, workflow: str) -> PartStands | None:
        what = named(workflow)
        shown = await self._look(what.reference) if what else None
        if not isinstance(shown, RequestShow | TaskShow) or shown.partial:
            return None
        waiting = shown.waiting_for
        whos = await asyncio.gather(*(self._who(one.person, workflow) for one in waiting))
        asked = (Asked(one.person, who, one.since) for one, who in zip(waiting, whos, strict=True))
        return PartStands(tuple(asked), shown.due_at)

    async def _who(self, id: str, beside: str) -> str:
        """The same for one person everywhere: who stands in full has another id in each file, and one address."""
        try:
            return (await self._directory.person(id, beside)).email.casefold()
        except DirectoryFailure:
            return f"{beside}/{id}"


def _open_parts(shown: OnboardingShow) -> Iterator[tuple[PartLine, str]]:
    """Those that the customer is told of, and agreements, which may ask a colleague of theirs; the former first."""
    parts = [part for stage in shown.stages for part in stage.parts if part.state == "open"]
    for part in sorted(parts, key=lambda part: not part.told):
        if part.workflow and (part.told or kind_of(part) is Kind.REQUEST):
            yield part, part.workflow


def kind_of(part: PartLine) -> Kind | None:
    """What runs a part, None before it was started."""
    what = named(part.workflow) if part.workflow else None
    return what.kind if what else None
