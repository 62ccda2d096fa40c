"""The argument that names a request file: `-` is standard input, and a mistyped option is not taken for a file."""

from typing import Annotated

from cyclopts import Parameter


def _known_option(_: object, value: str) -> None:
    if value.startswith("-") and value != "-":
        raise ValueError(f"there is no option {value}")


RequestFile = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_known_option)]
