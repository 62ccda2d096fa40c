"""How people are told: one stage for everyone, call by call, and again for the phones that were left open."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.deliveries as deliveries
    import workflows.follow_up.options as options
    from workflows.follow_up.ledger import key_of
    from workflows.follow_up.living import LivingWorkflow
    from workflows.follow_up.memory import Memory
    from workflows.follow_up.notices import explained
    from workflows.follow_up.options import wait_asked_for
    from workflows.follow_up.patience import Condition, Wake
    from workflows.model.happened import Happened
    from workflows.model.notices import Delivery, DeliveryReport, Notice
    from workflows.model.planning import Moment, Reason
    from workflows.model.provider import DocumentSeen
    from workflows.ports import PushService


class TellsPeople(LivingWorkflow[Memory]):
    """Tells people; each kind says what takes priority over that, and is planned or begun anew then."""

    def comes_first(self) -> Condition:
        """Watch for what takes priority: anything that a handler records."""
        return self.news()

    def heed(self, seen: DocumentSeen, asked_at: datetime | None = None) -> bool:
        """Whether what was read before people were told, at `asked_at`, has news."""
        return False

    async def tell(self, notices: tuple[Notice, ...], planned: tuple[Moment, ...] = ()) -> bool:
        """Deliver one stage to everyone, and again to phones left open; False when something took priority."""
        told: DeliveryReport | None = DeliveryReport()
        delivery = Delivery(
            subject=self.subject,
            notices=notices,
            due_at=self._progress.due_at,
            document=self._progress.document if planned else None,
            now=workflow.now(),
            page=self._progress.page,
            quiet=self._request.quiet,
        )
        for pause in (*options.STRAGGLER_PAUSES, None):
            told = await self._tell_each(delivery, told or DeliveryReport(), planned)
            if told is None or not told.open_devices or pause is None:
                break
            at = workflow.now() + max(pause, wait_asked_for(told.retry_after))
            if await self.until(at, "the phones left open", self.comes_first, midway=True) is Wake.NEWS:
                self._progress = self._progress.untold(told.delivered)
                return False
            delivery = deliveries.stragglers(delivery, told)
        return told is not None

    async def _tell_each(
        self, delivery: Delivery, before: DeliveryReport, planned: tuple[Moment, ...]
    ) -> DeliveryReport | None:
        """Deliver call by call; None when something took priority: who has no line in the ledger then is told anew."""
        whole, rest = DeliveryReport(), delivery.notices
        while rest:
            comes_first = self.comes_first()
            now = deliveries.part(delivery, rest[: deliveries.AT_MOST], before, others_told=bool(whole.delivered))
            now = now.replace(page=self._progress.page)
            report = await self._deliver(now, planned)
            interrupted = report is None or comes_first() or bool(_closed(planned))
            if report is not None:
                rest, report = deliveries.left_of(rest, report), deliveries.told_by(report)
                whole = deliveries.joined(whole, report)
                self._progress = self._progress.paged(now.page).put_off(report.put_off, workflow.now())
                self._progress = self._progress.told(explained(report.delivered, planned), workflow.now())
                self._progress = self._progress.held_back(report.held, workflow.now())
                if report.seen is not None and self.heed(report.seen, delivery.now):
                    return None
            if interrupted and rest:
                self._progress = self._progress.untold(whole.delivered)
                self._put_off(planned)
                return None
        return whole

    async def _deliver(self, delivery: Delivery, planned: tuple[Moment, ...]) -> DeliveryReport | None:
        how = options.NUDGE if delivery.document else options.NOTIFY

        def or_night() -> Condition:
            comes_first = self.comes_first()
            return lambda: comes_first() or bool(_closed(planned))

        # Whoever is away, asleep or has heard enough by now may not have been when it was tried first.
        return await self.call(
            PushService.deliver, delivery, how, deliveries.in_words(delivery), unless=or_night, anew=_at_this_instant
        )

    def _put_off(self, planned: tuple[Moment, ...]) -> None:
        """Plan anew what could not be sent in its recipient's hours: an outage that ends at night wakes nobody."""
        told = {line.key for line in self._progress.notifications}
        for moment in _closed(planned):
            if key_of(self._progress.request, moment) in told:
                continue
            known, why = self._progress.replan(), Reason.QUIET_HOURS
            self._progress = known.note(workflow.now(), Happened.PUT_OFF, moment.to, why, about=moment.stage)


def _at_this_instant(delivery: Delivery) -> Delivery:
    return delivery.replace(now=workflow.now())


def _closed(planned: tuple[Moment, ...]) -> tuple[Moment, ...]:
    return tuple(moment for moment in planned if moment.open_until and moment.open_until <= workflow.now())
