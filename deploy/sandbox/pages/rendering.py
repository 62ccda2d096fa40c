"""Templates and assets of the pages, and how they say times."""

from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from starlette.responses import HTMLResponse, Response

from deploy.sandbox.records import iso

HERE = Path(str(files("deploy.sandbox.pages")))
MINUTE, HOUR, DAY = 60, 3_600, 86_400
# An address of a page is a permission of its own, so no cache may keep what it shows.
HEADERS = {"cache-control": "no-store"}

environment = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def ago(instant: float, now: float) -> str:
    """How long ago, in a phone's short words."""
    seconds = max(now - instant, 0)
    for unit, word in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= unit:
            return f"{int(seconds // unit)} {word} ago"
    return "now"


def openable(link: str | None) -> bool:
    """Whether a link leads to a web page, and not into a script."""
    return link is not None and link.startswith(("http://", "https://"))


environment.tests["openable"] = openable
environment.filters["iso"] = iso
environment.filters["ago"] = ago


def render(template: str, status: int = 200, **values: object) -> Response:
    """A whole page, or a part of one."""
    return HTMLResponse(environment.get_template(template).render(values), status, HEADERS)
