"""A file that was meant for another word of the command: one line says which, instead of all that it is not."""

from typing import Any, Final

from activities.files.reading import PlainFile
from workflows.kinds import Kind

_SIGNS: Final = {
    Kind.REQUEST: {"signers", "requester"},
    Kind.TASK: {"who", "title"},
    Kind.ONBOARDING: {"customer", "stages"},
    Kind.CAMPAIGN: {"audience"},
}
"""The fields that files of one kind alone have."""


def refuse_others(plain: PlainFile, kind: Kind) -> None:
    """Raise `FileFaults` for what is plainly of another kind, with the word that starts it."""
    meant = [one for one, signs in _SIGNS.items() if signs & _fields(plain.plain)]
    if len(meant) == 1 and kind not in meant:
        other = meant[0]
        article = "an" if other is Kind.ONBOARDING else "a"
        says = f"is {article} {other}, no {kind}: `countersign {other.names.command} start` starts it"
        raise plain.faults([((), says)])


def _fields(plain: Any) -> set[str]:
    return {*plain} if isinstance(plain, dict) else set()
