"""The command of a group's place: its first member to press *Sign* takes it. Pure."""

from datetime import datetime

from workflows.follow_up.commands import living_refusal, not_their_turn
from workflows.model.commands import PlaceTaking
from workflows.model.messages import Message
from workflows.model.rejections import Rejection, name_fault
from workflows.model.timeline import EventType
from workflows.signature.state import SignatureState


def refuse_take_place(state: SignatureState, command: PlaceTaking) -> Message | None:
    """Why they do not sign for their group; who has its place already may ask again."""
    if refusal := living_refusal(state) or name_fault(command.person, "the person"):
        return refusal
    slot = state.slots.find(command.person)
    if slot is None or not slot.shares_place or slot.replaced:
        return Rejection.NO_PLACE.to_message(person=command.person)
    taker = state.slots.taker_of(slot.team)
    if taker and taker.person != command.person:
        return Rejection.PLACE_TAKEN.to_message(person=taker.person)
    return not_their_turn(state, command.person)


def take_place(state: SignatureState, command: PlaceTaking, now: datetime) -> SignatureState:
    """At once for whom Core Signature asks; another member of the group is put in the place there first."""
    slot = state.slots.find(command.person)
    if slot is None or slot.taken_at:
        return state
    updated = state.replace(slots=state.slots.take(command.person, now))
    noted = updated.note(now, EventType.PLACE_TAKEN, command.person, None, about_id=slot.team)
    return noted if slot.beside else noted.placed(command.person, now)
