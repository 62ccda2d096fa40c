"""JSON bodies of calls to Core Signature."""

from typing import Any

from starlette.requests import Request

from deploy.sandbox.core.fields import Fields
from deploy.sandbox.refusal import Refused


async def read_fields(request: Request) -> Fields:
    """The JSON object of a call; raises `Refused` for another media type or what is no JSON object."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        raise Refused.because(415, f'Unsupported media type "{kind}" in request.')
    try:
        body: Any = await request.json()
    except (ValueError, RecursionError):
        raise Refused.because(400, "JSON parse error - the body is not valid JSON.") from None
    return Fields(body)
