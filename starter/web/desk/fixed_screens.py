"""Cards of the desk: sign-in, and why something is not shown."""

from enum import StrEnum
from typing import Final

from activities.people.language import phrase
from starter.web.screens.screens import NOT_WHOLE, Entry, MainButton, ScreenDraft, ScreenTone

WRONG_CODE: Final = phrase("That is not the number in the newest message. Tries left: {left}.")


class DeskScreenName(StrEnum):
    SIGN_IN = "sign-in"
    ASKED = "asked"
    BEHIND_LINK = "behind-link"
    SPENT = "spent"
    NOT_ASKED = "not-asked"
    FOREIGN_FORM = "foreign-form"
    CUT_OFF = "cut-off"
    TOO_OFTEN = "too-often"
    AWAY = "away"
    UNSURE = "unsure"
    NOT_THERE = "not-there"
    SOMEBODY_ELSE = "somebody-else"
    FRONT = "front"
    TOO_MANY_DRAFTS = "too-many-drafts"
    COMPANY_REFUSED = "company-refused"
    COMPANY_AWAY = "company-away"
    SIGNED_OUT = "signed-out"


class CompanyRefusal(StrEnum):
    """Why a sign-in with the company's account is refused."""

    NOT_BEGUN = "not begun"
    DECLINED = "declined"
    NOT_GENUINE = "not genuine"
    STRANGER = "stranger"


SIGN_IN: Final = ScreenDraft(
    DeskScreenName.SIGN_IN,
    200,
    phrase("Sign in"),
    (phrase("All requests in one place: what they wait for, and what you can do about it."),),
    button=MainButton(
        None, phrase("Send me a link"), entry=Entry("who", phrase("Your id or email address")), to="sign-in"
    ),
)
SIGN_IN_THERE: Final = phrase("Sign in with the company's account")
SIGN_OUT_THERE: Final = phrase("Sign out of the company's account")
COMPANY_REFUSED: Final = {
    reason: ScreenDraft(DeskScreenName.COMPANY_REFUSED, 403, phrase("You are not signed in"), (sentence,), home=True)
    for reason, sentence in {
        CompanyRefusal.NOT_BEGUN: phrase(
            "This sign-in was not begun in this browser, or more than 10 minutes ago. Please begin again."
        ),
        CompanyRefusal.DECLINED: phrase("The company's account did not let you in."),
        CompanyRefusal.NOT_GENUINE: phrase(
            "What the company's account answered does not count. Please begin again, and tell your administrators if "
            "it happens again."
        ),
        CompanyRefusal.STRANGER: phrase("Nobody in our directory has this account."),
    }.items()
}
COMPANY_AWAY: Final = ScreenDraft(
    DeskScreenName.COMPANY_AWAY,
    503,
    phrase("Please try again in a minute"),
    (phrase("The company's account does not answer at the moment."),),
    retry_after=30,
    home=True,
)
SIGNED_OUT: Final = ScreenDraft(
    DeskScreenName.SIGNED_OUT,
    200,
    phrase("You are signed out here"),
    (phrase("Your browser goes on to the company's account, to sign out there as well."),),
    tone=ScreenTone.CALM,
)
ASKED: Final = ScreenDraft(
    DeskScreenName.ASKED,
    200,
    phrase("Look at your phone"),
    (
        phrase(
            "If we know you, a message is on its way: to your devices, or else by email. It is valid for 10 minutes."
        ),
        phrase("Tap its link on the phone, or type its number here to sign in with this browser."),
        phrase("You get at most one message a minute. If none came, ask again after that."),
    ),
    button=MainButton(None, phrase("Sign in"), entry=Entry("code", phrase("Six-digit number"), code=True), to="code"),
    home=True,
)
BEHIND_LINK: Final = ScreenDraft(
    DeskScreenName.BEHIND_LINK,
    200,
    phrase("Sign in"),
    (phrase("You sign in as {name} in this browser, for at most 12 hours."),),
    button=MainButton(None, phrase("Sign in")),
)
SPENT: Final = ScreenDraft(
    DeskScreenName.SPENT,
    410,
    phrase("This link does not work any more"),
    (phrase("It opens the desk once, within 10 minutes. Please ask for another one."),),
    home=True,
)
NOT_ASKED: Final = ScreenDraft(
    DeskScreenName.NOT_ASKED,
    403,
    phrase("Please ask for a message first"),
    (phrase("A number only works in the browser that asked for it, within 10 minutes and five tries."),),
    home=True,
)
FOREIGN: Final = ScreenDraft(
    DeskScreenName.FOREIGN_FORM,
    403,
    phrase("Please open the page again"),
    (phrase("This form did not come from a page of the desk, or you have signed in again since."),),
    home=True,
)
CUT_OFF: Final = ScreenDraft(
    DeskScreenName.CUT_OFF, 400, phrase("Please try again in a minute"), (NOT_WHOLE,), home=True
)
TOO_OFTEN: Final = ScreenDraft(
    DeskScreenName.TOO_OFTEN,
    429,
    phrase("Please try again in a minute"),
    (phrase("Too many requests in a short time. Nothing is lost."),),
    retry_after=60,
)
AWAY: Final = ScreenDraft(
    DeskScreenName.AWAY,
    503,
    phrase("The desk is closed for the moment"),
    (
        phrase("Temporal, which runs all requests, does not answer. Nothing is lost, and nothing was changed."),
        phrase("Please try again in a minute."),
    ),
    retry_after=30,
)
UNSURE: Final = ScreenDraft(
    DeskScreenName.UNSURE,
    503,
    phrase("The desk is closed for the moment"),
    (phrase("The directory or the store does not answer. Nothing is lost."), phrase("Please try again in a minute.")),
    retry_after=30,
)
SOMEBODY_ELSE: Final = ScreenDraft(
    DeskScreenName.SOMEBODY_ELSE,
    403,
    phrase("This link is for somebody else"),
    (phrase("You are signed in as another person. Sign out, and open your link again."),),
)
NOT_THERE: Final = ScreenDraft(
    DeskScreenName.NOT_THERE,
    404,
    phrase("There is nothing here for you"),
    (phrase("There is no such page, or it is somebody else's."),),
    home=True,
)
TOO_MANY_DRAFTS: Final = ScreenDraft(
    DeskScreenName.TOO_MANY_DRAFTS,
    409,
    phrase("You have too many drafts"),
    (phrase("Please send some of them, or discard what you do not need: they stand on the first page."),),
    home=True,
)
FRONT: Final = ScreenDraft(
    DeskScreenName.FRONT,
    200,
    phrase("Documents to sign, and nobody forgets them"),
    (
        phrase("Were you asked to sign? Please open the link in your message."),
        phrase("Did you ask for a signature, or do others sign for you? Everything stands at the desk."),
    ),
    home=True,
)
