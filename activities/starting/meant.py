"""A file that was meant for another word of the command: one line says which, instead of all that it is not."""

import asyncio
from typing import Any, Final

from activities.files.reading import FileText, PlainFile
from workflows.kinds import Kind

_SIGNS: Final = {
    Kind.REQUEST: {"signers", "requester"},
    Kind.TASK: {"who", "title"},
    Kind.ONBOARDING: {"customer", "stages"},
    Kind.CAMPAIGN: {"audience"},
}
"""The fields that files of one kind alone have."""


async def read_as(kind: Kind, written: FileText | PlainFile) -> PlainFile:
    """What a file says; raises `FileFaults` also for what is plainly of another kind, with the word that starts it."""
    plain = written if isinstance(written, PlainFile) else await asyncio.to_thread(written.parse)
    meant = [one for one, signs in _SIGNS.items() if signs & _fields(plain.plain)]
    if len(meant) == 1 and kind not in meant:
        other = meant[0]
        article = "an" if other is Kind.ONBOARDING else "a"
        says = f"is {article} {other}, no {kind}: `countersign {other.names.command} start` starts it"
        raise plain.faults([((), says)])
    return plain


def _fields(plain: Any) -> set[str]:
    return {*plain} if isinstance(plain, dict) else set()
