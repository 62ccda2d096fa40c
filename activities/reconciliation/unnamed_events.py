"""Events that identify their document only by its address: its `external_id` is read from the document, once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Self

from pydantic import Field

from activities.core_signature.wire import WireEvent
from workflows.model.base import Model
from workflows.model.signature import FINAL, WITHOUT_EFFECT

NAMES_REMEMBERED: Final = 5_000
"""Documents of which it is known; one that is forgotten is read once more with its next event."""


class Names(Model):
    """`external_id` by document uuid, empty for none."""

    known: Mapping[str, str] = Field(default_factory=dict)

    def learnt(self, uuid: str, external_id: str) -> Self:
        """Add one; drops the oldest beyond the limit."""
        kept = {one: id for one, id in self.known.items() if one != uuid} | {uuid: external_id}
        return self.replace(known=dict(list(kept.items())[-NAMES_REMEMBERED:]))

    def of(self, event: WireEvent) -> WireEvent:
        """The event with its `external_id`."""
        id = self.known.get(event.document or "") if event.unsaid else None
        return event.model_copy(update={"external_id": id}) if id else event

    def wanted(self, events: Sequence[WireEvent], before: datetime) -> list[str]:
        """Documents to read: of events that a request may have missed, and of the newest callback that arrived.

        The latter shows that callbacks arrive at all.
        """
        unknown = [one for one in events if one.unsaid and one.document and one.document not in self.known]
        unheard = [one for one in unknown if not heard(one) and one.timestamp and one.timestamp <= before]
        arrived = [one for one in unknown if one.delivered][:1]
        return list(dict.fromkeys(one.document for one in (*unheard, *arrived) if one.document))


def heard(event: WireEvent) -> bool:
    """Whether nobody has to be told: the event changes nothing, or its callback arrived and reached its request.

    A callback with the address alone reached no request; final events are decided elsewhere.
    """
    told = event.delivered and not event.unsaid and event.event_type not in FINAL
    return event.event_type in WITHOUT_EFFECT or told
