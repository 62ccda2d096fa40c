"""A campaign as it lies in store and server while it goes on: a frozen audience, records, open requests, no worker."""

import asyncio
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from temporalio.common import SearchAttributePair, TypedSearchAttributes

from activities.records.audiences import MemberRow
from starter.temporal.connection import Context
from tests.faults.town import eventually
from tests.starter.web.desk.office import NOW, OWNER
from workflows import names
from workflows.kinds import Kind
from workflows.model.campaign import AudienceSource, Campaign, CampaignOrder, Counts, FrozenAudience
from workflows.model.policy import Policy
from workflows.model.signature import Document
from workflows.model.subject import Status
from workflows.model.views import CampaignShow

_AT_ONCE = 20
_STARTED_WITHIN = 300
_DUE = (NOW + timedelta(days=4)).date()


@dataclass
class Shelf:
    """One campaign; who has `signed` has a record, everybody else an open request."""

    context: Context
    rows: Iterable[MemberRow]
    id: str = "conduct"
    owner: str = OWNER
    due: date = _DUE
    signed: Collection[str] = ()
    opened: Collection[str] = ()
    counted_at: datetime | None = None
    view: CampaignShow = field(init=False)

    async def lay_out(self) -> CampaignShow:
        """Put everything where it would be; what the campaign itself would say."""
        rows = tuple(self.rows)
        campaign, audiences = self.campaign, self.context.store.audiences
        frozen = FrozenAudience(sha256=await audiences.freeze(rows), rows=len(rows), errors=0, at=campaign.opens_at)
        order = CampaignOrder(campaign=campaign, frozen=frozen, fingerprint="f" * 64, now=NOW)
        await audiences.up_to_date(order)
        members = [member async for page in audiences.members(campaign.workflow_id) for member in page]
        self.view = CampaignShow(
            id=self.id,
            kind=campaign.kind,
            title=campaign.title,
            requester=self.owner,
            status=Status.OPEN,
            says="4 of 10 have acknowledged",
            campaign=campaign,
            fingerprint="f" * 64,
            opens_at=campaign.opens_at,
            due=self.due,
            due_at=datetime.combine(self.due + timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=12),
            closes_at=datetime.combine(self.due + timedelta(days=8), datetime.min.time(), UTC) + timedelta(hours=12),
            frozen=frozen,
            asked=len(rows),
            counts=Counts(told=len(rows)),
            counted_at=self.counted_at or campaign.opens_at,
        )
        for member in members:
            if member.person in self.signed:
                await self._record(campaign, member)
        await self._start(
            Kind.CAMPAIGN, self.id, {names.STAGE: "open", names.REQUESTER: self.owner, names.DUE_AT: self.view.due_at}
        )
        places = asyncio.Semaphore(_AT_ONCE)

        async def start(member: Any) -> None:
            async with places:
                await self._start_request(campaign, member)

        open_members = [member for member in members if member.is_asked and member.person not in self.signed]
        await asyncio.gather(*map(start, open_members))

        async def are_all_visible() -> bool:
            query = f"{names.PARENT.name} = '{campaign.workflow_id}'"
            return (await self.context.client.count_workflows(query)).count == len(open_members)

        assert await eventually(are_all_visible, _STARTED_WITHIN)
        return self.view

    @property
    def campaign(self) -> Campaign:
        """As its file would say it."""
        return Campaign(
            id=self.id,
            kind="policy-acknowledgement",
            title="Code of conduct",
            requester=self.owner,
            people=(),
            document=Document(),
            source=AudienceSource(group="all-staff"),
            opens_at=NOW - timedelta(days=10),
            due=self.due,
            grace=7,
            asking=Policy(),
        )

    async def _record(self, campaign: Campaign, member: Any) -> None:
        signed_at = (NOW - timedelta(days=2)).isoformat()
        show = {
            "status": "signed",
            "signers": [{"person": member.person, "state": "signed", "at": signed_at}],
            "notifications": [{"at": signed_at, "stage": "ready", "outcome": "accepted"}],
        }
        record = {"fingerprint": member.fingerprint("f" * 64), "show": show}
        home = Kind.REQUEST.workflow_id(member.request(campaign.id))
        await self.context.store.records.write(home, json.dumps(record).encode())

    async def _start_request(self, campaign: Campaign, member: Any) -> None:
        due = datetime.combine(member.due, datetime.min.time(), UTC) + timedelta(hours=17)
        await self._start(
            Kind.REQUEST,
            member.request(campaign.id),
            {
                names.STATUS: "viewed" if member.person in self.opened else "sent",
                names.STAGE: "signing",
                names.REQUESTER: self.owner,
                names.WAITING_FOR: [member.person],
                names.TURN_AT: campaign.opens_at,
                names.DUE_AT: due,
                names.PARENT: campaign.workflow_id,
            },
        )

    async def _start(self, kind: Kind, id: str, attributes: dict[Any, Any]) -> None:
        pairs = [SearchAttributePair(key, value) for key, value in attributes.items()]
        kind_of = SearchAttributePair(names.KIND, "policy-acknowledgement")
        status = [] if names.STATUS in attributes else [SearchAttributePair(names.STATUS, "open")]
        await self.context.client.start_workflow(
            kind.spec.workflow,
            id=kind.workflow_id(id),
            task_queue=names.WORKFLOW_QUEUE,
            memo={names.MEMO_DOCUMENT: "Code of conduct"},
            search_attributes=TypedSearchAttributes([*pairs, *status, kind_of]),
        )


def audience(*people: str, manager: str = "", department: str = "", begin: int = 1) -> list[MemberRow]:
    """Rows of an audience."""
    return [MemberRow(number, person, department, manager) for number, person in enumerate(people, start=begin)]
