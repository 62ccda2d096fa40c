"""How a living request tells people: stage by stage, phone by phone, and never against what the document says."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    import workflows.signature.recipients as recipients
    from workflows.follow_up.options import wait_asked_for
    from workflows.follow_up.patience import Condition, Wake
    from workflows.model.notices import Delivered, Delivery, DeliveryReport, Notice
    from workflows.model.planning import Moment
    from workflows.model.provider import DocumentSeen
    from workflows.ports import PushService
    from workflows.signature.messages import RequestMessages


class Telling(RequestMessages):
    """A request that can be spoken to, and that speaks to people."""

    async def _tell(self, notices: tuple[Notice, ...], planned: tuple[Moment, ...] = ()) -> None:
        """Deliver one stage, and again to phones left open, until none is or news takes priority."""
        delivery = Delivery(
            brief=self._brief,
            notices=notices,
            due_at=self._progress.due_at,
            document=self._progress.document if planned else None,
            now=workflow.now(),
        )
        delivered: tuple[Delivered, ...] = ()
        for pause in (*options.STRAGGLER_PAUSES, None):
            report = await self._deliver(delivery, planned)
            if report is None:
                self._progress = self._progress.untold(delivered)
                self._put_off(planned)
                return
            delivered = report.delivered
            self._progress = self._progress.put_off(report.put_off, workflow.now())
            self._progress = self._progress.told(recipients.explained(report.delivered, planned), workflow.now())
            if report.seen is not None and self._heed(report.seen):
                return
            if not report.open_devices or pause is None:
                return
            at = workflow.now() + max(pause, wait_asked_for(report.retry_after))
            if await self.until(at, "the phones left open") is Wake.NEWS:
                self._progress = self._progress.untold(delivered)
                return
            notices = recipients.still_open(delivery.notices, report)
            delivery = delivery.replace(notices=notices, devices=report.open_devices)

    async def _deliver(self, delivery: Delivery, planned: tuple[Moment, ...]) -> DeliveryReport | None:
        how = options.NUDGE if delivery.document else options.NOTIFY

        def news_or_night() -> Condition:
            news = self.news()
            return lambda: news() or bool(_closed(planned))

        return await self.call(PushService.deliver, delivery, how, _stage_words(delivery), unless=news_or_night)

    def _put_off(self, planned: tuple[Moment, ...]) -> None:
        """Plan anew what could not be sent in its recipient's hours: an outage that ends at night wakes nobody."""
        for moment in _closed(planned):
            what, why = f"{moment.stage} put off", "it could not be sent before their hours closed"
            self._progress = self._progress.replace(agenda=None).note(workflow.now(), what, moment.to, why)

    async def _remind_now(self) -> None:
        """Send the reminder that was asked for to everyone who has not had it; with nobody left it is done."""
        if moments := recipients.asked_for(self._progress, workflow.now()):
            await self._tell(recipients.by_hand(self._brief, moments), planned=moments)
        if not recipients.asked_for(self._progress, workflow.now()):
            self._progress = self._progress.reminded(recipients.reminded_words(self._progress))

    def _heed(self, seen: DocumentSeen) -> bool:
        """Whether a document that was read on the way has news; it is then read once more, for the record."""
        news = self._progress.would_change(seen)
        self._progress = self._progress.replace(read_at=workflow.now(), unread=self._progress.unread or news)
        return news


def _closed(planned: tuple[Moment, ...]) -> tuple[Moment, ...]:
    return tuple(moment for moment in planned if moment.open_until and moment.open_until <= workflow.now())


def _stage_words(delivery: Delivery) -> str:
    return ", ".join(f"{notice.stage} → {notice.person}" for notice in delivery.notices)[:200]
