"""The policy of one request: that of its kind, with what the file says otherwise; and all that cannot work about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from activities.files.words import written_path
from activities.files.yaml_lines import FieldPath
from activities.people import Directory
from activities.policies.cascade import REQUEST, Resolved
from activities.policies.sense import self_serving
from activities.requests.checks import RequestChecks, strangers

_MADE_OF: Final = frozenset({"kind", "policy", "due"})


@dataclass(frozen=True)
class RequestPolicy:
    """What follows from a request file whose kind, policy and due date are right, whatever else is wrong with it."""

    checks: RequestChecks
    resolved: Resolved

    @classmethod
    def of(cls, checks: RequestChecks) -> Self | None:
        """The policy of the file that was checked, None when it cannot be known."""
        right = checks.right
        if not right.keys() >= _MADE_OF:
            return None
        return cls(checks, checks.catalogue.resolve(right["kind"], right["policy"]))

    async def faults(self, directory: Directory) -> list[tuple[FieldPath, str]]:
        """Fields of the file, each with why its policy cannot work; `DirectoryFailure` when nobody can be looked up."""
        right = self.checks.right
        signers = frozenset(signer.person for signer in right.get("signers", ()) if signer.person)
        of_the_whole = [
            *self_serving(self.resolved, right.get("requester"), signers),
            *await strangers(self.resolved.policy, directory),
        ]
        return [*self._senseless(), *(self._placed(at, why) for at, why in of_the_whole), *self._told_twice()]

    def _senseless(self) -> Iterator[tuple[FieldPath, str]]:
        """What the file makes impossible: the kind by itself was checked with its catalogue."""
        right, due = self.checks.right, self.checks.right["due"]
        within = None if due is None or self.checks.overdue else self.checks.time_until(due)
        for at, why in self.checks.catalogue.faults(right["kind"], right["policy"], within):
            yield ("policy", *at), why

    def _placed(self, at: FieldPath, why: str) -> tuple[FieldPath, str]:
        """A fault at the field of the file that brings it about: of its policy, or its kind."""
        kind = self.checks.right["kind"]
        layer = self.resolved.layer(".".join(step for step in at if isinstance(step, str)))
        if layer == REQUEST:
            return ("policy", *at), why
        of_layer = "" if layer == kind else f" of {layer}"
        return ("kind",), f"{kind} cannot be used: {written_path(at)}{of_layer}: {why}"

    def _told_twice(self) -> Iterator[tuple[FieldPath, str]]:
        """Subscribers that the ledger, which knows by name who was told, could not tell from somebody else."""
        names = (target.target for target in self.resolved.policy.handoff)
        taken = dict.fromkeys(names, "is the name of a target of the hand-off too; give that one another name")
        for position, subscriber in enumerate(self.checks.right.get("subscribers", ())):
            if subscriber in taken:
                yield ("subscribers", position), f"{subscriber} {taken[subscriber]}"
            taken.setdefault(subscriber, "is given twice")
