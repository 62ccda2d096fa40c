"""The pictures of the two dashboards in docs/metrics.md, from processes that really run: `make dashboard-pictures`.

Prometheus scrapes a laptop stack that lives through some requests, and answers the dashboards' own queries; altair
draws what it says. It is not Grafana.
"""

import asyncio
import json
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

import altair
import vl_convert
from ruamel.yaml import YAML

from deploy.grafana.dashboards import DASHBOARDS, Dashboard, Panel
from tests.stack.laptop import Laptop, eventually, running
from tests.stack.test_stack import signs
from tests.watch.scraping import WANTED

FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures"
KINDS: Final = ("customer-contract", "sales-contract", "offer-letter", "legal-document")
REQUESTS: Final = 12
SIGNED: Final = 8
LEFT_ALONE_FOR: Final = ("4d", "8d", "16d")
STEP: Final = "2s"
_SCRAPED_EVERY: Final = "1s"
_WIDTH: Final = 24
_SMALL: Final = 6
_SHARP: Final = 1.2
_WINDOW: Final = "20s"
_ENVIRONMENT: Final = {**WANTED, "COUNTERSIGN_NOTICES_MOST": "1000"}
_UNITS: Final = {"s": "seconds", "percentunit": "share", "cps": "a second", "reqps": "a second"}
_HOW_TO_HAVE_IT: Final = "Prometheus is missing: apt install prometheus (its service need not run)"


def main() -> None:
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        sys.exit(_HOW_TO_HAVE_IT)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with (
            running(place / "data", COUNTERSIGN_NOTICES_MOST="1000", **WANTED) as laptop,
            server(prometheus, place, laptop) as ask,
        ):
            began = time.time()
            asyncio.run(live(laptop))
            for dashboard in DASHBOARDS:
                (FOLDER / f"{dashboard.uid}.png").write_bytes(picture(dashboard, ask, began, time.time()))


async def live(laptop: Laptop) -> None:
    """Some requests are signed, at once or after reminders, and others wait."""
    laptop.answer("reconcile")
    dice = random.Random(7)  # noqa: S311  no secret
    ids = [f"request-{number}" for number in range(REQUESTS)]
    for number, id in enumerate(ids):
        file = laptop.request(id)
        file.write_text(file.read_text().replace("kind: customer-contract", f"kind: {KINDS[number % len(KINDS)]}"))
    laptop.answer("request", "start", *(str(laptop.folder / "example" / f"{id}.yaml") for id in ids))
    for id, days in zip(ids, LEFT_ALONE_FOR, strict=False):
        laptop.shown(id, lambda it: it["notifications"])
        laptop.answer("fast-forward", id, days)
    # Of the last that was left alone somebody else is asked by now.
    for id in dice.sample([id for id in ids if id != ids[len(LEFT_ALONE_FOR) - 1]], SIGNED):
        for person in ("customer-signer", "chief-executive"):
            await signs(laptop, id, person)
    # What was started is counted a minute later, by the reconciliation after that.
    await asyncio.sleep(70)
    laptop.answer("reconcile")
    await asyncio.sleep(20)


@contextmanager
def server(binary: str, folder: Path, laptop: Laptop) -> Iterator[Any]:
    """A function that answers a path of Prometheus' API with its `result`."""
    ports = json.loads((laptop.folder / "kept.json").read_text())["ports"]
    jobs = {"worker": "worker_metrics", "web": "receiver_metrics", "temporal": "temporal_metrics"}
    config = {
        "global": {"scrape_interval": _SCRAPED_EVERY, "evaluation_interval": _SCRAPED_EVERY},
        "rule_files": [str(Path("deploy/prometheus/rules.yaml").resolve())],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{ports[port]}"]}]}
            for job, port in jobs.items()
        ],
    }
    YAML().dump(config, folder / "prometheus.yaml")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    words = [f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]

    def ask(path: str, **query: Any) -> Any:
        with urlopen(f"http://{address}/api/v1/{path}?{urlencode(query)}") as answer:
            return json.load(answer)["data"]["result"]

    def answers() -> bool:
        try:
            return bool(ask("query", query="up"))
        except OSError:
            return False

    with subprocess.Popen(  # noqa: S603  what was found on the path
        [binary, *words, f"--web.listen-address={address}", "--log.level=error"], stdout=subprocess.DEVNULL
    ) as process:
        try:
            assert eventually(answers)
            yield ask
        finally:
            process.terminate()


def picture(dashboard: Dashboard, ask: Any, began: float, ended: float) -> bytes:
    """All panels, in rows as wide as Grafana's, as PNG."""
    rows = []
    for title, panels in dashboard.rows.items():
        charts = [_chart(panel, ask, began, ended) for panel in panels]
        each = _WIDTH // panels[0].width
        split = [charts[first : first + each] for first in range(0, len(charts), each)]
        row = altair.vconcat(*(altair.hconcat(*some).resolve_scale(color="independent") for some in split))
        rows.append(row.properties(title=altair.TitleParams(title, fontSize=16, anchor="start")))
    whole = altair.vconcat(*rows).resolve_scale(color="independent").configure(font="sans-serif", background="#ffffff")
    drawn: bytes = vl_convert.vegalite_to_png(whole.to_dict(), scale=_SHARP)
    return drawn


def _chart(panel: Panel, ask: Any, began: float, ended: float) -> Any:
    told = _UNITS.get(panel.unit, "")
    title = altair.TitleParams(panel.title, subtitle=told, fontSize=12, subtitleFontSize=10, anchor="start")
    found = [row for legend, query in panel.queries.items() for row in _rows(panel, legend, query, ask, began, ended)]
    sized = {"width": 56 * panel.width - 170, "height": 130 if panel.width > _SMALL else 90, "title": title}
    if not found:
        nothing = altair.InlineData(values=[{"says": "nothing to show"}])
        return altair.Chart(nothing).mark_text(color="#888888").encode(text="says:N").properties(**sized)
    data = altair.InlineData(values=found)
    if panel.now:
        return (
            altair.Chart(data)
            .mark_bar()
            .encode(x=altair.X("value:Q", title=None), y=altair.Y("of:N", title=None, axis=altair.Axis(labelLimit=140)))
            .properties(**sized)
        )
    mark = altair.Chart(data).mark_area(opacity=0.5) if panel.bars else altair.Chart(data).mark_line(strokeWidth=1.5)
    return mark.encode(
        x=altair.X("at:T", title=None, axis=altair.Axis(format="%M:%S", tickCount=5)),
        y=altair.Y("value:Q", title=None, stack=True if panel.bars else None),
        color=altair.Color(
            "of:N", title=None, legend=altair.Legend(orient="bottom", columns=3, labelLimit=130, symbolLimit=9)
        ),
    ).properties(**sized)


def _rows(panel: Panel, legend: str, query: str, ask: Any, began: float, ended: float) -> Iterator[dict[str, Any]]:
    query = query.replace("$__rate_interval", _WINDOW)
    if panel.now:
        for one in ask("query", query=query, time=ended):
            yield from _values(legend, one["metric"], [one["value"]])
        return
    for one in ask("query_range", query=query, start=began, end=ended, step=STEP):
        yield from _values(legend, one["metric"], one["values"])


def _values(legend: str, labels: Mapping[str, str], values: list[list[Any]]) -> Iterator[dict[str, Any]]:
    of = re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend)
    for at, value in values:
        if value not in ("NaN", "+Inf", "-Inf"):
            yield {"of": of, "at": at * 1000, "value": float(value)}


if __name__ == "__main__":
    main()
