"""What several words are given."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def _known_option(_: object, value: str) -> None:
    if value.startswith("-") and value != "-":
        raise ValueError(f"there is no option {value}")


RequestFile = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_known_option)]
"""`-` is standard input, and a mistyped option is not taken for a file."""

RequestId = Annotated[str, Parameter(help="The request's id, or its whole workflow id.")]

AsJson = Annotated[bool, Parameter(name="--json", negative=())]
"""The parameter `--json` that every command takes."""

ReadyFile = Annotated[Path | None, Parameter(help="A file that is written once the process does its work.")]
JsonLog = Annotated[bool, Parameter(name="--json", negative=(), help="Log in JSON on a terminal, too.")]
