"""What somebody is told whom we cannot serve, whatever is behind their link. Pure."""

from typing import Final

from activities.language import phrase
from starter.page.screens import ScreenDraft, ScreenName, ScreenTone

NOT_OURS: Final = ScreenDraft(
    ScreenName.NOT_OURS,
    404,
    ScreenTone.TROUBLE,
    phrase("This link does not work"),
    (
        phrase("It may have been cut off when it was copied."),
        phrase("Please open it again from the notice on your phone."),
    ),
)
FOREIGN_FORM: Final = ScreenDraft(
    ScreenName.FOREIGN_FORM,
    403,
    ScreenTone.TROUBLE,
    phrase("Please open the link again"),
    (phrase("This form did not come from the page behind your link."),),
    look_again=True,
)
NO_ANSWER: Final = ScreenDraft(
    ScreenName.NO_ANSWER,
    503,
    ScreenTone.TROUBLE,
    phrase("Please try again in a minute"),
    (phrase("Core Signature does not answer at the moment. Nothing is lost, and your link still works."),),
    retry_after=30,
)
NOT_KNOWN_NOW: Final = ScreenDraft(
    ScreenName.NO_ANSWER,
    503,
    ScreenTone.TROUBLE,
    phrase("Please try again in a minute"),
    (phrase("This cannot be looked up at the moment. Nothing is lost, and your link still works."),),
    retry_after=30,
)
"""As `NO_ANSWER`, when it is our own side that does not know."""
TOO_OFTEN: Final = ScreenDraft(
    ScreenName.TOO_OFTEN,
    429,
    ScreenTone.TROUBLE,
    phrase("Please try again in a minute"),
    (phrase("Too many requests in a short time. Nothing is lost, and your link still works."),),
    retry_after=60,
)
