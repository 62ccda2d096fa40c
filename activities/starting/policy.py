"""The policy of a file: that of its kind, with what the file says otherwise; and all that cannot work about it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self, TypeVar

from activities.directory import Directory
from activities.files.reading import FileFaults, PlainFile
from activities.files.words import written_path
from activities.files.yaml_lines import FieldPath
from activities.policies.cascade import REQUEST, Resolved
from activities.policies.sense import self_serving
from activities.starting.checks import FileChecks, strangers
from activities.starting.file import AskingFile

File = TypeVar("File", bound=AskingFile)


class CheckedPolicy(NamedTuple):
    """The policy of a file that is right, and why it can be recognised but not started any more, None when it can."""

    resolved: Resolved
    overdue: FileFaults | None


async def checked(
    plain: PlainFile, model: type[File], checks: FileChecks, directory: Directory
) -> tuple[File, CheckedPolicy]:
    """The file in full; `FileFaults` with all that is wrong, `DirectoryFailure` when nobody can be looked up."""
    file, faults = await asyncio.to_thread(_validated, plain, model, checks)
    overdue = plain.faults([(("due",), "lies in the past")] if checks.overdue else ())
    if (policy := FilePolicy.of(checks)) is not None:
        faults += plain.faults(await policy.faults(directory))
    if file is None or policy is None or faults.faults:
        raise faults + overdue
    return file, CheckedPolicy(policy.resolved, overdue if overdue.faults else None)


def _validated(plain: PlainFile, model: type[File], checks: FileChecks) -> tuple[File | None, FileFaults]:
    try:
        return plain.validate(model, checks), FileFaults(())
    except FileFaults as faults:
        return None, faults


@dataclass(frozen=True)
class FilePolicy:
    """What follows from a file whose kind, policy and due date are right, whatever else is wrong with it."""

    checks: FileChecks
    resolved: Resolved

    @classmethod
    def of(cls, checks: FileChecks) -> Self | None:
        """The policy of the file that was checked, None when it cannot be known."""
        if not checks.right.keys() >= checks.made_of:
            return None
        return cls(checks, checks.catalogue.resolve(checks.right["kind"], checks.layer))

    async def faults(self, directory: Directory) -> list[tuple[FieldPath, str]]:
        """Fields of the file, each with why its policy cannot work; `DirectoryFailure` when nobody can be looked up."""
        of_the_whole = [
            *self._open_for_ever(),
            *self_serving(self.resolved, *self.checks.concerned),
            *self.checks.catalogue.never_called(self.resolved.policy),
            *await strangers(self.resolved.policy, directory),
        ]
        return [*self._senseless(), *(self._placed(at, why) for at, why in of_the_whole), *self._told_twice()]

    def _senseless(self) -> Iterator[tuple[FieldPath, str]]:
        """What the file makes impossible: the kind by itself was checked with its catalogue."""
        right, due = self.checks.right, self.checks.right["due"]
        within = None if due is None or self.checks.overdue else self.checks.time_until(due)
        for at, why in self.checks.catalogue.faults(right["kind"], self.checks.layer, within):
            yield ("policy", *at), why

    def _open_for_ever(self) -> Iterator[tuple[FieldPath, str]]:
        if self.checks.closes and not self.resolved.policy.expires:
            yield ("expires",), "a request closes some day; grace says how long after its due date"

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
