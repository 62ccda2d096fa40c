"""docs/metrics.md: its table is what the code declares; `python -m tests.test_docs_metrics` writes it."""

import re
from pathlib import Path

from activities import metrics
from activities.metrics import Counter, ExportingProcess, Gauge

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
_TABLE = re.compile(r"(<!-- metrics -->\n).*?(<!-- /metrics -->)", re.DOTALL)
_WHERE = {ExportingProcess.WORKER: "worker", ExportingProcess.WEB: "web process", ExportingProcess.BOTH: "both"}


def table() -> str:
    rows = ["| Metric | Type | Labels | Process | |", "| --- | --- | --- | --- | --- |"]
    for metric in metrics.declared():
        kind = "counter" if isinstance(metric, Counter) else "gauge" if isinstance(metric, Gauge) else "histogram"
        labels = ", ".join(f"`{label.name}`" for label in metric.labels)
        rows.append(f"| `{metric.exported}` | {kind} | {labels} | {_WHERE[metric.process]} | {metric.says} |")
    return "\n".join(rows) + "\n"


def replace_table(page: str) -> str:
    return _TABLE.sub(lambda match: match[1] + table() + match[2], page)


def test_the_table_is_what_the_code_declares() -> None:
    assert PAGE.read_text() == replace_table(PAGE.read_text()), "python -m tests.test_docs_metrics writes it"


def test_every_label_is_explained() -> None:
    labels = {label.name for metric in metrics.declared() for label in metric.labels}
    assert labels - set(re.findall(r"^\| `(\w+)` \| [^|]+ \|$", PAGE.read_text(), re.MULTILINE)) == {
        *("channel", "service", "operation")
    }


if __name__ == "__main__":
    PAGE.write_text(replace_table(PAGE.read_text()))
