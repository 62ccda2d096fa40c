"""Alerts are one list: what on-call hears by push, what Prometheus fires and what the runbook explains."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

from activities.alerts import ALERTS, OF_INCIDENTS, Alert
from activities.notifications.words import TEXTS
from activities.reconciliation.figures import CurrentFigures
from deploy.grafana.dashboards import DASHBOARDS, render
from tests.watch.promql import metrics_in
from workflows.follow_up.notification_types import NotificationType, is_for_on_call
from workflows.kinds import Kind
from workflows.model.notifications import NoticeAction

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "deploy" / "prometheus"
RULES: Final[dict[str, dict[str, Any]]] = {
    rule["alert"]: rule for group in YAML(typ="safe").load(FOLDER / "rules.yaml")["groups"] for rule in group["rules"]
}
RUNBOOK: Final = (ROOT / "docs" / "runbook.md").read_text()
PROMTOOL: Final = shutil.which("promtool")
_OVER: Final = (
    NotificationType.CALLED,
    NotificationType.HANDOFF_RECOVERED,
    NotificationType.PUSH_RECOVERED,
    NotificationType.PROBLEM_OVER,
)
"""That it is over is no alert: Prometheus resolves its own."""


def test_prometheus_fires_the_list_and_nothing_else() -> None:
    assert list(RULES) == [alert.name for alert in ALERTS]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_has_the_same_words_everywhere(alert: Alert) -> None:
    rule = RULES[alert.name]
    assert rule["labels"] == {"severity": alert.severity}
    assert rule["annotations"] == {"summary": alert.says, "runbook": f"docs/runbook.md#{alert.name}"}
    assert f'### {alert.says} <a id="{alert.name}"></a>' in RUNBOOK
    if alert.push:
        assert _title(alert.push) == alert.says


def _title(type: NotificationType) -> str:
    return TEXTS[Kind.REQUEST].choose_text(type, NoticeAction.OPEN, to_requester=True, overdue=False).title


def test_whatever_on_call_hears_by_push_is_in_the_list() -> None:
    pushed_types = {type for type in NotificationType if is_for_on_call(type)} - set(_OVER)
    assert pushed_types <= {alert.push for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_the_runbook_says_of_an_alert_what_it_means_how_to_see_it_and_what_to_do(alert: Alert) -> None:
    entry = RUNBOOK.partition(f'<a id="{alert.name}"></a>')[2].partition("\n##")[0]
    for part in ("**For people:**", "**See it:**", "**Do:**"):
        assert part in entry, f"{alert.name}: {part}"
    assert "`" in entry.partition("**Do:**")[2], "the command"


def test_incidents_are_exported_by_the_names_of_their_alerts() -> None:
    named = set(re.findall(r'countersign_incidents\{alert="(\w+)"\}', (FOLDER / "rules.yaml").read_text()))
    assert named == {alert.name for alert in OF_INCIDENTS}
    assert CurrentFigures.model_fields["incidents"]


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_the_dashboards_are_what_their_module_makes(dashboard: Any) -> None:
    assert dashboard.file.read_text() == render(dashboard), "make dashboards"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ('max by (code) (countersign_problems{code=~"a|b"}) > 0', {"countersign_problems"}),
        ("time() - max(a_seconds > 0)", {"a_seconds"}),
        (
            "histogram_quantile(0.9, sum by (le, kind) (rate(x_bucket[$__rate_interval]))) and y offset 1h",
            {"x_bucket", "y"},
        ),
    ],
)
def test_metrics_are_found_in_queries(query: str, names: set[str]) -> None:
    assert metrics_in(query.replace("offset 1h", "")) == names


@pytest.mark.skipif(
    PROMTOOL is None and not os.environ.get("REQUIRE_DEPLOY_TOOLS"),
    reason="promtool is missing: apt install prometheus",
)
def test_prometheus_can_read_every_query_of_the_dashboards(tmp_path: Path) -> None:
    queries = [query for board in DASHBOARDS for panel in board.panels for query in panel.queries.values()]
    rules = [
        {"record": f"query_{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, query in enumerate(queries)
    ]
    YAML().dump({"groups": [{"name": "dashboards", "rules": rules}]}, tmp_path / "queries.yaml")
    command = (PROMTOOL or "promtool", "check", "rules", str(tmp_path / "queries.yaml"))
    checked = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  Prometheus' own tool
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_has_a_unit_test_in_which_it_fires() -> None:
    tests = YAML(typ="safe").load(FOLDER / "rules_test.yaml")["tests"]
    cases = [case for rule_test in tests for case in rule_test["alert_rule_test"]]
    fired = {case["alertname"] for case in cases if case["exp_alerts"]}
    silent = {case["alertname"] for case in cases if not case["exp_alerts"]}
    assert fired == set(RULES)
    assert set(RULES) - silent <= {alert.name for alert in OF_INCIDENTS}
