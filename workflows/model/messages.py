"""Messages: what travels is a code with values; words are made where somebody reads them.

`MESSAGES` is the catalogue: each code with its English sentence. Values are ids, numbers, days, words of the contract
and field paths; never names, addresses or secrets.
"""

from typing import Final

from pydantic import Field

from workflows.model.base import InWords, Model

MESSAGES: Final[dict[str, str]] = {}
"""The English sentence of each code, with its placeholders."""


class Message(Model):
    """A message to a person: `code` of the catalogue, and the values of its placeholders."""

    code: str
    values: dict[str, str | int] = Field(default_factory=dict)

    def __str__(self) -> str:
        """In English, so that no sentence at a terminal has the model in it."""
        return self.english

    @property
    def english(self) -> str:
        """The English sentence; the code alone if it comes from newer code."""
        return MESSAGES[self.code].format(**self.values) if self.code in MESSAGES else self.code


class MessageCode(InWords):
    """Codes with their English sentences; each is entered in `MESSAGES`."""

    def __init__(self, word: str, english: str = "") -> None:
        # The workflow sandbox imports a kind's module again: the same code with the same sentence is no second message.
        if MESSAGES.setdefault(word, english or word) != (english or word):
            raise TypeError(f"two messages have the code {word}")

    def to_message(self, **values: object) -> Message:
        """The message with these values, numbers as such and all else as text."""
        return Message(
            code=self.value,
            values={name: value if isinstance(value, int) else str(value) for name, value in values.items()},
        )
