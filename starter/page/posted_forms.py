"""What a browser posts: a small form, read within its limits."""

from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request

from starter.request_bodies import BodyFault, Incoming

LONGEST: Final = 128 * 1024
"""A text of 10,000 characters, each of them four bytes that are written as `%F0%9F%96%8A`: ten times as many as are
taken, so that whoever writes too much is told so and still has it."""
_MOST_FIELDS: Final = 8
FORMS_AT_MOST: Final = 8 * 1024 * 1024
"""Bytes of all forms that are being read, large and small."""
_INCOMING: Final = Incoming("forms", FORMS_AT_MOST)


async def read_form(request: Request) -> dict[str, str] | None:
    """The fields of a form, none when it is something else; None when it did not come whole: too large, or too slow."""
    body = await _INCOMING.read(request, limit=LONGEST)
    if isinstance(body, BodyFault):
        return None
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}
