"""What stands in the way of callbacks, as far as settings tell it: nobody asks for them, or repeats come too late."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from starter.clients import CALLBACKS
from starter.doctor.health import Part, doubtful, fine
from starter.settings import Settings

RETRIED_FOR: Final = timedelta(hours=2, minutes=30)
"""How long Core Signature repeats a callback, which keeps the time of its event (docs/core-signature.md, Callbacks)."""
EVENTS: Final = (
    *("convert_error", "sending_error", "sent", "viewed", "signed", "declined", "cancelled", "expired"),
    *("signer_viewed", "signer_signed", "signer_forwarded", "signer_email_bounced"),
)
"""The types of events that a request takes for a hint to read its document; of the others it makes nothing."""


def callbacks(settings: Settings) -> Part:
    """Whether callbacks are asked for without anybody's doing, and whether one that is repeated is still believed."""
    worries = (*_nobody_asks(settings), *_repeats_are_refused(settings))
    if worries:
        return doubtful("callbacks", "; ".join(worries))
    return fine("callbacks", "believed for as long as Core Signature repeats them")


def _nobody_asks(settings: Settings) -> Iterator[str]:
    if settings.signature.callback_style == "subscription":
        # The segment is a secret, and what a doctor says is passed around.
        address = f"{settings.webhook.url or '<COUNTERSIGN_WEBHOOK_URL>'}{CALLBACKS}<COUNTERSIGN_WEBHOOK_SEGMENT>"
        yield (
            f"nobody subscribes for you: have Core Signature (POST /api/v1/webhooks/, once for each event_type) call "
            f"{address} on {', '.join(EVENTS)}; without it what signers do is seen at the next nudge, or once a week"
        )


def _repeats_are_refused(settings: Settings) -> Iterator[str]:
    if settings.webhook.max_age < RETRIED_FOR:
        yield (
            "COUNTERSIGN_WEBHOOK_MAX_AGE is shorter than the 2.5 h for which Core Signature repeats a callback: "
            "the last repeats are refused"
        )
