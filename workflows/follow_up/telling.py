"""How people are told: one stage for everyone, call by call; the phones that were left open again, beside the story."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.deliveries as deliveries
    import workflows.follow_up.options as options
    from workflows.follow_up.ledger import key_of
    from workflows.follow_up.living import LifecycleWorkflow
    from workflows.follow_up.memory import State
    from workflows.follow_up.notices import alerted, explained
    from workflows.follow_up.patience import Condition
    from workflows.follow_up.stragglers import PendingDevice, left_open
    from workflows.model.happened import EventType
    from workflows.model.notices import Delivery, DeliveryReport, NotificationOrder
    from workflows.model.planning import Reason, ScheduledAction
    from workflows.model.provider import DocumentSeen
    from workflows.ports import PushService


class NotificationSender(LifecycleWorkflow[State]):
    """Tells people; each kind says what takes priority over that, and is planned or begun anew then."""

    def comes_first(self) -> Condition:
        """Watch for what takes priority: anything that a handler records."""
        return self.news()

    def heed(self, seen: DocumentSeen, asked_at: datetime | None = None) -> bool:
        """Whether what was read before people were told, at `asked_at`, has news."""
        return False

    async def tell(self, notices: tuple[NotificationOrder, ...], planned: tuple[ScheduledAction, ...] = ()) -> bool:
        """Deliver one stage to everyone; False when something took priority: who has no line then is told anew.

        The phones that it leaves open are remembered, and nothing waits for them.
        """
        moments = {key_of(self._progress.request, moment): moment for moment in planned}
        rest, others_told = notices, False
        while rest:
            comes_first = self.comes_first()
            part = rest[: deliveries.AT_MOST]
            delivery = self._delivery(part, planned).replace(others_told=others_told)
            report = await self._deliver(delivery, planned)
            interrupted = report is None or comes_first() or bool(_closed(planned))
            if report is not None:
                others_told = others_told or any(line.key not in report.open_notices for line in report.delivered)
                rest = deliveries.left_of(rest, report)
                now = workflow.now()
                tried = tuple(PendingDevice(notice=one, moment=moments.get(one.key), at=now) for one in part)
                self._heard(delivery, report, tried)
                if report.seen is not None and self.heed(report.seen, delivery.now):
                    return False
            if interrupted and rest:
                self._put_off(_closed(planned))
                return False
        return True

    async def tell_again(self, stragglers: tuple[PendingDevice, ...]) -> None:
        """Deliver once more what phones were left open of; a try that fails is no trouble, the next one has a time."""
        over = tuple(one for one in stragglers if one.is_over(workflow.now()))
        if over:
            self._give_up(over)
            return
        planned = tuple(one.moment for one in stragglers if one.moment)
        delivery = deliveries.again(self._delivery((), planned), stragglers)
        takes_priority = self._priority(planned)
        how = options.at_once(options.NUDGE if delivery.document else options.NOTIFY)
        summary = f"again: {deliveries.in_words(delivery)}"[:200]
        report = await self.once(PushService.deliver, delivery, how, summary, unless=lambda: takes_priority)
        if report is not None:
            self._heard(delivery, report, stragglers)
            if report.seen is not None:
                self.heed(report.seen, delivery.now)
        elif not takes_priority():
            self._progress = self._progress.tried(stragglers, (), tuple(left_open(stragglers, None, workflow.now())))

    def _delivery(self, notices: tuple[NotificationOrder, ...], planned: tuple[ScheduledAction, ...]) -> Delivery:
        return Delivery(
            subject=self.subject,
            notices=notices,
            due_at=self._progress.due_at,
            document=self._progress.document if planned else None,
            now=workflow.now(),
            page=self._progress.page,
            quiet=self._request.quiet,
            life=self.life,
        )

    async def _deliver(self, delivery: Delivery, planned: tuple[ScheduledAction, ...]) -> DeliveryReport | None:
        how = options.NUDGE if delivery.document else options.NOTIFY
        # Whoever is away, asleep or has heard enough by now may not have been when it was tried first.
        return await self.call(
            PushService.deliver,
            delivery,
            how,
            deliveries.in_words(delivery),
            unless=lambda: self._priority(planned),
            anew=_at_this_instant,
            resumes=tuple(notice.key for notice in delivery.notices),
        )

    def _priority(self, planned: tuple[ScheduledAction, ...]) -> Condition:
        """Watch for what takes priority, be it the night."""
        comes_first = self.comes_first()
        return lambda: comes_first() or bool(_closed(planned))

    def _heard(self, delivery: Delivery, report: DeliveryReport, tried: tuple[PendingDevice, ...]) -> None:
        """Write down what became of a call, whom it leaves open, and of which escalations somebody knows by it."""
        now, planned = workflow.now(), tuple(one.moment for one in tried if one.moment)
        done = deliveries.told_by(report)
        known = self._progress.untold(frozenset(one.key for one in done.put_off))
        known = known.paged(delivery.page).put_off(done.put_off, now)
        known = known.told(explained(done.delivered, planned), now).held_back(done.held, now)
        known = known.tried(tried, done.delivered, tuple(left_open(tried, report, now)))
        self._progress = known.escalated(alerted(known, planned), now)

    def _give_up(self, over: tuple[PendingDevice, ...]) -> None:
        """Their hours have closed: whoever was reached by no phone is told when they open."""
        self._progress = self._progress.untold(frozenset(one.key for one in over))
        self._put_off(tuple(one.moment for one in over if one.moment))

    def _put_off(self, closed: tuple[ScheduledAction, ...]) -> None:
        """Plan anew what could not be sent in its recipient's hours: an outage that ends at night wakes nobody."""
        told = {line.key for line in self._progress.notifications}
        for moment in closed:
            if key_of(self._progress.request, moment) in told:
                continue
            known, why = self._progress.replan(), Reason.QUIET_HOURS
            self._progress = known.note(workflow.now(), EventType.PUT_OFF, moment.to, why, about=moment.stage)


def _at_this_instant(delivery: Delivery) -> Delivery:
    return delivery.replace(now=workflow.now())


def _closed(planned: tuple[ScheduledAction, ...]) -> tuple[ScheduledAction, ...]:
    return tuple(moment for moment in planned if moment.open_until and moment.open_until <= workflow.now())
