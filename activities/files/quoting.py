"""What a fault may repeat of a file: short words, as names of fields are, and nothing that may be personal.

Faults of the people file reach histories, logs and screens; with line and field they are found without being quoted.
"""

import re
from typing import Final

HIDDEN: Final = "…"
_WORD: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9._/+-]{1,39}|[0-9]{1,3}")
_QUOTED: Final = re.compile(r"'(?!<[a-z ]+>'|[^A-Za-z0-9']{1,2}'|\\[a-z]')[^']*'|('[^']*')")


def quotable(text: str) -> bool:
    """Whether a text is one short word or number: no name of two parts, no address, no telephone number, no token."""
    return _WORD.fullmatch(text) is not None


def word(text: str) -> str:
    """The text if it is `quotable`, else an ellipsis."""
    return text if quotable(text) else HIDDEN


def without_quotes(sentence: str) -> str:
    """A sentence of the YAML reader without the words it quotes; its own names (`<block end>`) and signs stay."""
    return _QUOTED.sub(lambda found: found[1] or HIDDEN, sentence)
