"""Commands of a review: a reviewer answers, the requester gives a new version, somebody is exempt. Pure."""

from datetime import datetime

from workflows.follow_up.commands import living_refusal, unfit
from workflows.model.commands import Exemption, ReviewAnswer, Revision
from workflows.model.messages import Message
from workflows.model.rejections import Rejection, name_fault, reason_fault, text_fault
from workflows.model.schedule import Reason
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status
from workflows.model.timeline import EventType
from workflows.signature.state import SignatureInput, SignatureState, SignerSlot


def refuse_review(state: SignatureState, command: ReviewAnswer, requester: str) -> Message | None:
    """Why the actor's answer is not taken; nobody reviews what they have asked for themselves."""
    if refusal := _not_in_review(state) or unfit(command.actor) or name_fault(command.reviewer, "the reviewer"):
        return refusal
    if requester in (command.reviewer, _person(command.actor)):
        return Rejection.OWN_REVIEW.to_message(person=requester)
    if command.version not in (0, state.round):
        return Rejection.OLD_VERSION.to_message()
    if _awaited(state, command.reviewer, Role.REVIEW) is None:
        awaited = ", ".join(slot.person for slot in state.slots.pending if slot.role is Role.REVIEW) or "nobody's is"
        return Rejection.NO_REVIEWER.to_message(person=command.reviewer, awaited=awaited)
    if command.approve:
        return Rejection.ONE_ANSWER.to_message() if command.changes else None
    return text_fault(command.changes, "the text of the changes")


def review(request: SignatureInput, state: SignatureState, command: ReviewAnswer, now: datetime) -> SignatureState:
    """Approved by all it is sent; with changes asked for it waits for a new version, or ends after the last round."""
    reviewer = command.reviewer
    sender = command.actor if command.actor != reviewer else None
    if command.approve:
        answered = _acted(state, reviewer, SignerState.APPROVED, now)
        noted = answered.note(now, EventType.APPROVED, reviewer, None, sender=sender)
        return _sent_if_approved(request, noted, now)
    changes = command.changes.strip()
    answered = _acted(state, reviewer, SignerState.CHANGES, now, changes)
    noted = answered.note(now, EventType.CHANGES_ASKED, reviewer, changes, is_quote=True, sender=sender)
    if state.round >= request.policy.review.most:
        return noted.end(Status.DECLINED, now, decided_by=reviewer)
    return noted.replace(slots=noted.slots.revise(request.brief.requester, now))


def refuse_revise(state: SignatureState, command: Revision) -> Message | None:
    if fault := _not_in_review(state) or unfit(command.actor) or name_fault(command.file_name, "the name of the file"):
        return fault
    if fault := reason_fault(command.changes, "the text of the changes"):
        return fault
    if all(slot.role is not Role.REVISE for slot in state.slots.pending):
        return Rejection.NO_CHANGES_ASKED.to_message()
    is_same_version = command.sha256 == state.review.versions[-1].sha256
    return Rejection.SAME_VERSION.to_message() if is_same_version else None


def revise(state: SignatureState, command: Revision, now: datetime) -> SignatureState:
    """The next round begins with this version."""
    previous = state.review.versions[-1].document
    document = previous.replace(sha256=command.sha256, size=command.size, file_name=command.file_name)
    return state.revised(document, command.actor, now, command.changes.strip() or None)


def refuse_exempt(state: SignatureState, command: Exemption, requester: str) -> Message | None:
    """The requester cannot exempt those who are to review what they ask for; nor does it go without any approval."""
    if refusal := _not_in_review(state) or unfit(command.actor) or text_fault(command.reason, "the reason"):
        return refusal
    if _person(command.actor) == requester:
        return Rejection.EXEMPTS_OWN.to_message(person=requester)
    slot = state.slots.find(command.person)
    if slot is None or slot.role is not Role.REVIEW:
        vocabulary = state.vocabulary
        return Rejection.NOT_ASKED.to_message(
            person=command.person, awaited=vocabulary.awaited, subject=vocabulary.subject
        )
    if slot.acted:
        return Rejection.HAS_ACTED.to_message(person=command.person, state=slot.state.english)
    other_reviewers = (
        slot for slot in state.slots.signers if slot.role is Role.REVIEW and slot.person != command.person
    )
    has_reviewer = any(slot.state is SignerState.APPROVED or not slot.acted for slot in other_reviewers)
    return None if has_reviewer else Rejection.LAST_REVIEWER.to_message()


def exempt(request: SignatureInput, state: SignatureState, command: Exemption, now: datetime) -> SignatureState:
    """The others decide."""
    updated = _acted(state, command.person, SignerState.EXEMPT, now)
    reason = command.reason.strip()
    noted = updated.note(now, EventType.REVIEWER_EXEMPT, command.person, reason, is_quote=True, sender=command.actor)
    return _sent_if_approved(request, noted, now)


def _person(actor: str) -> str:
    """The person of an actor such as `oidc:ada`."""
    return actor.rpartition(":")[2]


def _not_in_review(state: SignatureState) -> Message | None:
    if refusal := living_refusal(state):
        return refusal
    return None if state.round else Rejection.NOT_IN_REVIEW.to_message(status=state.current_status)


def _awaited(state: SignatureState, person: str, role: Role) -> SignerSlot | None:
    return next((slot for slot in state.slots.pending if slot.person == person and slot.role is role), None)


def _acted(
    state: SignatureState, person: str, became: SignerState, now: datetime, reason: str | None = None
) -> SignatureState:
    """Somebody has acted, and who need not act any more; their planned notices are given up, and the next are asked."""
    slots = state.slots.reviewed(person, became, now, reason)
    released_people = tuple(slot.person for slot in slots.signers if slot.acted and not _was_over(state, slot))
    updated = state.giving_up(released_people, Reason.REVIEWED, now).replace(slots=slots).replan()
    for released_person in released_people:
        updated = updated.answering_themselves(released_person, now)
    return updated


def _was_over(state: SignatureState, slot: SignerSlot) -> bool:
    former_slot = state.slots.find(slot.person)
    return former_slot is not None and former_slot.acted


def _sent_if_approved(request: SignatureInput, state: SignatureState, now: datetime) -> SignatureState:
    """Once everybody of each team that has to has approved."""
    is_approved = all(slot.acted for slot in state.slots.signers if slot.role is Role.REVIEW)
    return state.approved(request.brief.people, now) if is_approved else state
