"""How a living request tells people: stage by stage, phone by phone, and never against what the document says."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.deliveries as deliveries
    import workflows.follow_up.options as options
    import workflows.signature.recipients as recipients
    from workflows.follow_up.ledger import key_of
    from workflows.follow_up.options import wait_asked_for
    from workflows.follow_up.patience import Condition, Wake
    from workflows.model.notices import Delivery, DeliveryReport, Notice
    from workflows.model.planning import Moment
    from workflows.model.provider import DocumentSeen
    from workflows.ports import PushService
    from workflows.signature.messages import RequestMessages


class Telling(RequestMessages):
    """A request that can be spoken to, and that speaks to people."""

    async def _tell(self, notices: tuple[Notice, ...], planned: tuple[Moment, ...] = ()) -> None:
        """Deliver one stage to everyone, and again to phones left open, until none is or news takes priority."""
        told: DeliveryReport | None = DeliveryReport()
        delivery = Delivery(
            brief=self._brief.in_short,
            notices=notices,
            due_at=self._progress.due_at,
            document=self._progress.document if planned else None,
            now=workflow.now(),
            page=self._progress.page,
        )
        for pause in (*options.STRAGGLER_PAUSES, None):
            told = await self._tell_each(delivery, told or DeliveryReport(), planned)
            if told is None or not told.open_devices or pause is None:
                return
            at = workflow.now() + max(pause, wait_asked_for(told.retry_after))
            if await self.until(at, "the phones left open") is Wake.NEWS:
                self._progress = self._progress.untold(told.delivered)
                return
            delivery = deliveries.stragglers(delivery, told)

    async def _tell_each(
        self, delivery: Delivery, before: DeliveryReport, planned: tuple[Moment, ...]
    ) -> DeliveryReport | None:
        """Deliver call by call; None when news took priority: whoever has no line in the ledger then is told anew."""
        whole, rest = DeliveryReport(), delivery.notices
        while rest:
            news = self.news()
            now = deliveries.part(delivery, rest[: deliveries.AT_MOST], before, others_told=bool(whole.delivered))
            now = now.replace(page=self._progress.page)
            report = await self._deliver(now, planned)
            interrupted = report is None or news() or bool(_closed(planned))
            if report is not None:
                whole, rest = deliveries.joined(whole, report), deliveries.left_of(rest, report)
                self._progress = self._progress.paged(now.page).put_off(report.put_off, workflow.now())
                self._progress = self._progress.told(recipients.explained(report.delivered, planned), workflow.now())
                if report.seen is not None and self._heed(report.seen, delivery.now):
                    return None
            if interrupted and rest:
                self._progress = self._progress.untold(whole.delivered)
                self._put_off(planned)
                return None
        return whole

    async def _deliver(self, delivery: Delivery, planned: tuple[Moment, ...]) -> DeliveryReport | None:
        how = options.NUDGE if delivery.document else options.NOTIFY

        def news_or_night() -> Condition:
            news = self.news()
            return lambda: news() or bool(_closed(planned))

        return await self.call(PushService.deliver, delivery, how, _stage_words(delivery), unless=news_or_night)

    def _put_off(self, planned: tuple[Moment, ...]) -> None:
        """Plan anew what could not be sent in its recipient's hours: an outage that ends at night wakes nobody."""
        told = {line.key for line in self._progress.notifications}
        for moment in _closed(planned):
            if key_of(self._progress.request, moment) in told:
                continue
            what, why = f"{moment.stage} put off", "it could not be sent before their hours closed"
            self._progress = self._progress.replan().note(workflow.now(), what, moment.to, why)

    async def _remind_now(self) -> None:
        """Send the reminder that was asked for to everyone who has not had it; with nobody left it is done."""
        if moments := recipients.asked_for(self._progress, workflow.now()):
            await self._tell(recipients.by_hand(self._brief, moments), planned=moments)
        if not recipients.asked_for(self._progress, workflow.now()):
            self._progress = self._progress.reminded(recipients.reminded_words(self._progress))

    def _heed(self, seen: DocumentSeen, asked_at: datetime | None = None) -> bool:
        """Whether a document that was read on the way has news; it is then read once more, for the record."""
        news = self._progress.would_change(seen)
        since = self._progress.known_since if news else asked_at or self._progress.known_since
        self._progress = self._progress.replace(
            read_at=workflow.now(), known_since=since, unread=self._progress.unread or news
        )
        return news


def _closed(planned: tuple[Moment, ...]) -> tuple[Moment, ...]:
    return tuple(moment for moment in planned if moment.open_until and moment.open_until <= workflow.now())


def _stage_words(delivery: Delivery) -> str:
    stages = dict.fromkeys(notice.stage for notice in delivery.notices)
    told = {stage: [notice.person for notice in delivery.notices if notice.stage == stage] for stage in stages}
    return "; ".join(f"{stage} → {', '.join(people)}" for stage, people in told.items())[:200]
