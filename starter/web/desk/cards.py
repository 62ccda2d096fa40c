"""What the desk says when there is nothing to list: how to come in, and why something cannot be shown. Pure."""

from dataclasses import dataclass, replace
from typing import Final

from activities.people.language import Language, phrase
from starter.web.pages.forms import NOT_WHOLE


@dataclass(frozen=True)
class Field:
    """One line to type into; `code` has digits only, and a telephone's keyboard with them."""

    name: str
    label: str
    code: bool = False


@dataclass(frozen=True)
class CardForm:
    """What can be sent from a card, to a path below the desk."""

    to: str
    button: str
    field: Field | None = None


@dataclass(frozen=True)
class Card:
    """A heading, some sentences and perhaps a form, in English until it is `told`."""

    name: str
    status: int
    heading: str
    sentences: tuple[str, ...] = ()
    form: CardForm | None = None
    refusal: str | None = None
    retry_after: int | None = None
    home: bool = False
    """Whether a way to the first page of the desk stands below."""

    def told(self, language: Language, **values: object) -> "Card":
        """The same in a language, with `values` for the placeholders of its sentences."""
        form, field = self.form, self.form.field if self.form else None
        if form:
            said = replace(field, label=language.say(field.label)) if field else None
            form = replace(form, button=language.say(form.button), field=said)
        sentences = tuple(language.say(one, **values) for one in self.sentences)
        refusal = language.say(self.refusal, **values) if self.refusal else None
        return replace(self, heading=language.say(self.heading), sentences=sentences, form=form, refusal=refusal)


SIGN_IN: Final = Card(
    "sign-in",
    200,
    phrase("Sign in"),
    (phrase("All requests in one place: what they wait for, and what you can do about it."),),
    CardForm("sign-in", phrase("Send me a link"), Field("who", phrase("Your id or email address"))),
)
ASKED: Final = Card(
    "asked",
    200,
    phrase("Look at your phone"),
    (
        phrase(
            "If we know you, a message is on its way: to your devices, or else by email. It is valid for 10 minutes."
        ),
        phrase("Tap its link on the phone, or type its number here to come in with this browser."),
        phrase("You get at most one message a minute. If none came, ask again after that."),
    ),
    CardForm("code", phrase("Sign in"), Field("code", phrase("Six-digit number"), code=True)),
    home=True,
)
WRONG_CODE: Final = phrase("That is not the number in the newest message. Tries left: {left}.")
BEHIND_LINK: Final = Card(
    "behind-link",
    200,
    phrase("Sign in"),
    (phrase("You come in as {name}, with this browser, for at most 12 hours."),),
    CardForm("", phrase("Sign in")),
)
SPENT: Final = Card(
    "spent",
    410,
    phrase("This link does not work any more"),
    (phrase("It opens the desk once, within 10 minutes. Please ask for another one."),),
    home=True,
)
NOT_ASKED: Final = Card(
    "not-asked",
    403,
    phrase("Please ask for a message first"),
    (phrase("A number only works in the browser that asked for it, within 10 minutes and five tries."),),
    home=True,
)
NOBODY: Final = Card(
    "nobody",
    403,
    phrase("You are not in the directory"),
    (phrase("Your company's sign-on let you through, but nobody here has this id or address."),),
)
FOREIGN: Final = Card(
    "foreign-form",
    403,
    phrase("Please open the page again"),
    (phrase("This form did not come from a page of the desk, or you have come in anew since."),),
    home=True,
)
CUT_OFF: Final = Card("cut-off", 400, phrase("Please try again in a minute"), (NOT_WHOLE,), home=True)
TOO_OFTEN: Final = Card(
    "too-often",
    429,
    phrase("Please try again in a minute"),
    (phrase("Too many requests in a short time. Nothing is lost."),),
    retry_after=60,
)
AWAY: Final = Card(
    "away",
    503,
    phrase("The desk is closed for the moment"),
    (
        phrase("Temporal, which runs all requests, does not answer. Nothing is lost, and nothing was changed."),
        phrase("Please try again in a minute."),
    ),
    retry_after=30,
)
UNSURE: Final = Card(
    "unsure",
    503,
    phrase("The desk is closed for the moment"),
    (phrase("The directory or the store does not answer. Nothing is lost."), phrase("Please try again in a minute.")),
    retry_after=30,
)
NOT_THERE: Final = Card(
    "not-there",
    404,
    phrase("There is nothing here for you"),
    (phrase("There is no such page, or it is somebody else's."),),
    home=True,
)
FRONT: Final = Card(
    "front",
    200,
    phrase("Documents to sign, and nobody forgets them"),
    (
        phrase("Were you asked to sign? Please open the link in your message."),
        phrase("Did you ask for a signature, or do others sign for you? Everything stands at the desk."),
    ),
    home=True,
)
