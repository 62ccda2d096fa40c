"""Lists as the vendor gives them: `count, next, previous, results`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request

from deploy.sandbox.refusal import CoreRefusal
from deploy.sandbox.settings import SandboxSettings
from deploy.sandbox.views import Views

DEFAULT_LIMIT = 10
MOST = 100
LONGEST_NUMBER = 9

T = TypeVar("T")


def filters(request: Request, settings: SandboxSettings) -> Mapping[str, str]:
    """What a list is asked to be narrowed to; nothing of a sandbox that ignores filters."""
    return {} if settings.ignores_filters else request.query_params


def page(request: Request, views: Views, found: Sequence[T], show: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    """The page the query asks for (`page` from 1, `limit` up to 100); raises 404 beyond the last one."""
    limit = min(_number(request, "limit", DEFAULT_LIMIT), MOST)
    number = _number(request, "page", 1)
    last = max(1, -(-len(found) // limit))
    if number > last:
        raise CoreRefusal.because(404, "Invalid page.")

    def link(target: int) -> str | None:
        query = urlencode([*((k, v) for k, v in request.query_params.multi_items() if k != "page"), ("page", target)])
        return views.url(f"{request.url.path}?{query}") if 1 <= target <= last else None

    return {
        "count": len(found),
        "next": link(number + 1),
        "previous": link(number - 1),
        "results": [show(item) for item in found[(number - 1) * limit : number * limit]],
    }


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if not text:
        return default
    if not text.isdecimal() or len(text) > LONGEST_NUMBER or int(text) < 1:
        raise CoreRefusal.because(404, "Invalid page.")
    return int(text)
