"""What people may do to something open, once for all surfaces: the explanation of each word, and where a surface
lacks it. Which kind has which words says `KindSpec.commands`; its arguments, with their help, are the fields of the
model that `UPDATES` has for it (`workflows/model/commands.py`).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import workflows.names as names

HELP: Final[Mapping[str, str]] = {
    names.REMIND: "Notify everybody whose turn it is, now.",
    names.DELEGATE: "Ask somebody else instead; a request is forwarded at Core Signature, too. The old link becomes "
    "invalid.",
    names.LINK: "Hand over a link of one signer, an address or QR code that leads to Core Signature once, within a "
    "day.",
    names.EXTEND: "Move the due date; warnings and reminders are planned anew.",
    names.PAUSE: "Pause it: no reminders until it is resumed.",
    names.RESUME: "Resume it: reminders are planned anew.",
    names.ASK: "Ask the requester or owner a question for somebody asked; reminders are paused until it is answered.",
    names.SNOOZE: "Remind somebody asked at an instant, and not before.",
    names.ANSWER: "Answer its open question; reminders resume.",
    names.CANCEL: "End it: everybody concerned is notified, a request is cancelled at Core Signature. Signatures "
    "remain.",
    names.REPLAY: "Hand off its ending again to a target that is dead, also long after it ended.",
    names.TAKE: "Say which member of the group that asks takes it on: questions and news go only to them.",
    names.DONE: "Mark it as done, which ends it for everybody who was asked.",
    names.WAIVE: "Say that nobody needs to do it any more.",
    names.BLOCK: "Say that an assignee cannot continue: the owner is notified of the reason, and reminders are paused.",
    names.UNBLOCK: "Say that the obstacle is removed; reminders resume.",
    names.EXEMPT: "Exempt a reviewer, so that the others decide. The requester cannot do this.",
    names.RETRY: "Ask again those who could not be asked: rows that are corrected by now, requests that have failed.",
    names.REVIEW: "Answer as a reviewer: approve the document, or ask for changes before it is sent.",
    names.REVISE: "Give the next version for the reviewers, after one has asked for changes.",
    names.DECIDE: "Decide about a part that was declined, expired or terminated: resend, replace, waive or stop.",
}
"""Explains each word."""
OF_KIND: Final[Mapping[tuple[str, str], str]] = {
    (
        "campaign",
        names.CANCEL,
    ): "End it: nobody more is asked, open requests end, and the status of each member is recorded.",
    ("campaign", names.REMIND): "Remind everybody who has not acknowledged, now.",
    ("campaign", names.EXEMPT): "Exempt a member: they need not acknowledge, and their request ends.",
    ("campaign", names.EXTEND): "Move the due date of everybody who has not acknowledged, or of one of them; reminders "
    "are planned anew.",
}
"""Where it does something else to a kind."""
_SEE_TO: Final = "write it down, and see to whom it is about"
PENDING: Final[Mapping[str, str]] = {
    names.REMIND: "tell everyone whose turn it is",
    names.REPLAY: "hand off to {about} once more",
    names.DELEGATE: "hand over from {about}",
    names.EXTEND: "plan anew for {due}",
    names.TAKE_PLACE: "put {about} in the place at Core Signature",
    names.EXEMPT: _SEE_TO,
    names.RETRY: _SEE_TO,
}
"""What a receipt says of a word that is recorded and still to be carried out."""


class Surface(StrEnum):
    """Where people and programs give commands."""

    COMMAND = "command"
    API = "API"
    DESK = "desk"


ELSEWHERE: Final[Mapping[tuple[Surface, str], str]] = {
    (Surface.COMMAND, names.SNOOZE): "somebody asked puts it off on their own page, or their program by the API",
    (Surface.DESK, names.SNOOZE): "somebody asked puts it off on their own page",
    (Surface.DESK, names.ASK): "somebody asked asks on their own page",
    (Surface.DESK, names.BLOCK): "somebody asked says it on their own page",
    (Surface.API, names.LINK): "a link is handed to somebody who is there, and a receipt has none",
    (Surface.DESK, names.REVIEW): "a reviewer answers on their own page",
    (Surface.DESK, names.DECIDE): "each part that has failed has its own decisions on the page of the onboarding",
}
"""Why a surface lacks a word that a kind has."""


def explain(kind: str, command_word: str) -> str:
    return OF_KIND.get((kind, command_word)) or HELP[command_word]


def offered(command_words: tuple[str, ...], surface: Surface) -> tuple[str, ...]:
    """Those of the words that the surface has."""
    return tuple(command_word for command_word in command_words if (surface, command_word) not in ELSEWHERE)
