"""What comes before anybody is asked: the document is made at Core Signature, which prepares it and sends it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Self

from pydantic import AwareDatetime

import workflows.follow_up.stages as stages
from workflows.follow_up.memory import FollowUpState
from workflows.follow_up.words import Precondition
from workflows.model.attention import Attention, AttentionCode
from workflows.model.planning import ActionType, ScheduledAction
from workflows.model.subject import Status
from workflows.model.wishes import StopKind

_LOOKS_OF_AN_HOUR = 8
"""At a document that is being converted, after `probe_pause`s: more than an hour it takes for no ordinary reason."""
_HEARD_AFTER = (timedelta(hours=1), timedelta(days=1), timedelta(days=3), timedelta(days=7))
"""So long after it was made whoever asked for it hears that it was not sent yet."""
_MADE_WITHIN = timedelta(minutes=15)
"""So long after its start it is made, as a rule."""
_UNMADE = "it was never made at Core Signature"
_UNSENT = "it was never sent: Core Signature was still preparing the document"


class SendingState(FollowUpState):
    """The memory of one request, as far as its document is on its way to the signers."""

    status: Status = Status.CONVERTING
    made_at: AwareDatetime | None = None
    read_at: AwareDatetime | None = None

    @property
    def preparing(self) -> bool:
        """Whether the document was not sent yet."""
        return self.status is Status.CONVERTING

    @property
    def stuck(self) -> bool:
        """Whether it was not sent although there was time enough: it is then followed up as far as that goes."""
        return self.preparing and self.probes >= _LOOKS_OF_AN_HOUR

    @property
    def is_to_be_made(self) -> bool:
        """Whether there is no document yet, and is to be one."""
        return not (self.document or self.ending or self.status.ended)

    def is_late_to_be_made(self, now: datetime) -> bool:
        """Whether it should have been made long ago, but for an outage or a pause."""
        return now - self.started_at >= _MADE_WITHIN

    def expiry_by(self, now: datetime) -> ScheduledAction | None:
        """The moment at which its time was over, if that has come by now."""
        moments = self.agenda.moments if self.agenda else ()
        return next((one for one in moments if one.kind is ActionType.EXPIRE and one.at <= now), None)

    @property
    def _unsent_for(self) -> timedelta:
        """Since it was made, when it was last looked at."""
        return self.read_at - self.made_at if self.read_at and self.made_at else timedelta()

    def firsts(self) -> Iterator[Precondition]:
        """See `FollowUpState`; last the document is made, unless that is to wait, and its conversion awaited."""
        yield from super().firsts()
        if self.preparing and not (self.stuck or (self.is_to_be_made and self.stop(StopKind.PAUSE))):
            yield Precondition.PREPARE

    def to_report(self) -> Iterator[tuple[str, str]]:
        """See `FollowUpState`; also of a document that is not sent."""
        if self.stuck and (rung := sum(pause <= self._unsent_for for pause in _HEARD_AFTER)):
            yield stages.not_sent(rung), ""
        yield from super().to_report()

    def attention(self) -> Iterator[Attention]:
        """A document that is not sent."""
        if self.stuck:
            says = f"{self.words.preparing}, and nobody is asked before it has"
            yield Attention(code=AttentionCode.NOT_ASKED, since=self.made_at or self.started_at, says=says)

    def expire(self, moment: ScheduledAction, now: datetime) -> Self:
        """See `FollowUpState`; who reads of it is to know that nobody was asked."""
        unasked = _UNMADE if self.is_to_be_made else _UNSENT if self.preparing else None
        return super().expire(moment.replace(why=f"{moment.why}; {unasked}") if unasked else moment, now)
