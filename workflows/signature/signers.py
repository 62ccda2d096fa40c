"""The signers of one request: who is expected, who has acted, whose turn it is.

Pure; signing order decides, not arrival.
"""

from datetime import datetime
from typing import Self

from pydantic import AwareDatetime

from workflows.follow_up.slots import Slot, Slots
from workflows.model.signature import SignerSeen, SignerState
from workflows.model.subject import Participant, Role

_RANK = {
    SignerState.WAITING: 0,
    SignerState.TURN: 1,
    SignerState.BOUNCED: 2,
    SignerState.VIEWED: 3,
    SignerState.SIGNED: 4,
    SignerState.APPROVED: 4,
    SignerState.DECLINED: 4,
    SignerState.REASSIGNED: 4,
    SignerState.COPIED: 4,
}
_ACTED = 4
_SIGNED = (SignerState.SIGNED, SignerState.APPROVED)


class SignerSlot(Slot):
    order: int
    role: Role
    state: SignerState = SignerState.WAITING
    at: AwareDatetime | None = None
    reason: str | None = None
    signed_at: AwareDatetime | None = None
    """When they signed or approved, for what is due: not before they were known not to have."""

    @property
    def acted(self) -> bool:
        """Whether nothing more is expected of them."""
        return _RANK[self.state] == _ACTED

    @property
    def replaced(self) -> bool:
        return self.state is SignerState.REASSIGNED

    @property
    def pending(self) -> bool:
        """Whether it is their turn, the request waits for them, and they have not acted."""
        return self.expected and super().pending

    @property
    def expected(self) -> bool:
        """Whether the request ever waits for them; never for a copy."""
        return self.role is not Role.COPY


class SignerSlots(Slots[SignerSlot]):
    """In the order of the request file."""

    signers: tuple[SignerSlot, ...]

    @property
    def everyone(self) -> tuple[SignerSlot, ...]:
        return self.signers

    @property
    def acted(self) -> tuple[str, ...]:
        return tuple(signer.person for signer in self.signers if signer.acted)

    @classmethod
    def expect(cls, signers: tuple[Participant, ...]) -> Self:
        """Before sending: nobody's turn."""
        return cls(signers=tuple(SignerSlot(person=s.person, order=s.order, role=s.role) for s in signers))

    def begin(self, now: datetime) -> Self:
        """Give the turn to the first in order; idempotent."""
        return self._advance(now)

    def record(
        self,
        seen: tuple[SignerSeen, ...],
        now: datetime,
        turn: int | None = None,
        known_since: datetime | None = None,
    ) -> Self:
        """Merge the provider's signers, in any order and repeated; states never go back. A person who acts now had not
        acted at `known_since`. `turn` is the lowest open order there, also of foreign signers. Before `begin` it is
        nobody's turn.
        """
        by_person = {one.person: one for one in seen}
        signers = tuple(_recorded(signer, by_person.get(signer.person), now, known_since) for signer in self.signers)
        recorded = self.replace(signers=signers)
        return recorded._advance(now, turn) if any(signer.turn_at for signer in signers) else recorded

    def reassign(self, person: str, to: str, now: datetime) -> Self:
        """With its turn; idempotent."""
        old = self.of(person)
        if old is None or self.of(to) is not None:
            return self
        turn_at = now if old.turn_at else None
        state = SignerState.TURN if old.turn_at else SignerState.WAITING
        new = SignerSlot(person=to, order=old.order, role=old.role, state=state, turn_at=turn_at, clock_from=turn_at)
        gone = old.replace(state=SignerState.REASSIGNED, at=now)
        return self.replace(signers=tuple(one for s in self.signers for one in ((gone, new) if s is old else (s,))))

    def shift(self, since: datetime, now: datetime) -> Self:
        return self.replace(signers=tuple(signer.shifted(since, now) for signer in self.signers))

    @property
    def places(self) -> tuple[Participant, ...]:
        """The signers for the request's view: a replacement directly behind the replaced."""
        return tuple(Participant(person=one.person, order=one.order, role=one.role) for one in self.signers)

    @property
    def complete(self) -> bool:
        done = (*_SIGNED, SignerState.REASSIGNED)
        return all(signer.state in done for signer in self.signers if signer.expected)

    def _advance(self, now: datetime, there: int | None = None) -> Self:
        turn = min((signer.order for signer in self.signers if signer.expected and not signer.acted), default=None)
        declined = any(signer.state is SignerState.DECLINED for signer in self.signers)
        if declined or turn is None or (there is not None and there < turn):
            return self
        return self.replace(signers=tuple(_with_turn(s, now) if s.order == turn else s for s in self.signers))


def _with_turn(signer: SignerSlot, now: datetime) -> SignerSlot:
    if not signer.expected or signer.acted or signer.turn_at:
        return signer
    state = SignerState.TURN if signer.state is SignerState.WAITING else signer.state
    return signer.replace(state=state, turn_at=now, clock_from=now)


def _recorded(signer: SignerSlot, seen: SignerSeen | None, now: datetime, known_since: datetime | None) -> SignerSlot:
    if seen is None or signer.acted or _RANK[seen.state] <= _RANK[signer.state]:
        return signer
    at = seen.at or now
    signed_at = max(at, known_since or at) if seen.state in _SIGNED else None
    return signer.replace(state=seen.state, at=at, reason=seen.reason, signed_at=signed_at)
