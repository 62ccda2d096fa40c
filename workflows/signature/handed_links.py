"""Links of signers that are handed over, as the workflow knows them: whose, by whom and when."""

from datetime import datetime

from workflows.follow_up.commands import living_refusal, unfit
from workflows.model.commands import LinkHandover
from workflows.model.messages import Message
from workflows.model.rejections import Rejection
from workflows.model.timeline import EventType
from workflows.signature.state import SignatureState


def refuse_hand_over(state: SignatureState, command: LinkHandover) -> Message | None:
    if refusal := living_refusal(state) or unfit(command.actor):
        return refusal
    asked = () if state.round else state.slots.pending
    signer = next((slot for slot in asked if slot.person == command.signer), None)
    if signer is None:
        return Rejection.NOT_TO_SIGN_NOW.to_message(person=command.signer)
    has_place = not signer.shares_place or (signer.taken_at and not signer.beside)
    return None if has_place else Rejection.PLACE_OPEN.to_message(person=command.signer, group=signer.team)


def hand_over(state: SignatureState, command: LinkHandover, now: datetime) -> SignatureState:
    return state.note(now, EventType.LINK_HANDED, command.signer, None, sender=command.actor)
