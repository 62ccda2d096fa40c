"""The pages of metrics of a laptop stack's processes, read as Prometheus reads them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.request import urlopen

from tests.stack.laptop import Laptop
from tests.watch.promql import family

_SAMPLE: Final = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
WANTED: Final = {"OTEL_METRICS_EXPORTER": "prometheus"}
"""The environment of a stack that is scraped."""


@dataclass(frozen=True)
class Sample:
    process: str
    name: str
    labels: dict[str, str]
    value: float


def scrape_stack(laptop: Laptop) -> list[Sample]:
    """All samples of worker, web process and Temporal server."""
    ports = json.loads((laptop.folder / "kept.json").read_text())["ports"]
    port_name_by_process = {"worker": "worker_metrics", "web": "receiver_metrics", "temporal": "temporal_metrics"}
    return [
        sample for process, port in port_name_by_process.items() for sample in _of_page(process, _page(ports[port]))
    ]


def _page(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        page: str = answer.read().decode()
        return page


def _of_page(process: str, page: str) -> Iterator[Sample]:
    for name, labels, value in _SAMPLE.findall(page):
        yield Sample(process, name, dict(_LABEL.findall(labels)), float(value))


def names_in(samples: list[Sample]) -> set[str]:
    return {sample.name for sample in samples} | {family(sample.name) for sample in samples}
