"""Makes `operations.json` and `business.json` for Grafana: `make dashboards`. Metrics are those of docs/metrics.md and
Temporal's; a test looks for each in running processes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.builders.bargauge import Panel as BarGauge
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard as Builder
from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, Row
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    LegendDisplayMode,
    LegendPlacement,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef

FOLDER: Final = Path(__file__).parent
_WIDTH: Final = 24
_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="$source")
_SLOTS: Final = "min by (task_queue, worker_type) (temporal_worker_task_slots_available)"
_FIRING: Final = 'ALERTS{alertstate="firing"}'
_NOT_SIGNED: Final = (
    'sum by (kind) (increase(countersign_settled_total{outcome!~"signed|done"}[30d]))'
    " / (sum by (kind) (increase(countersign_settled_total[30d])) > 0)"
)
_LAST: Final = ReduceDataOptions().calcs(["lastNotNull"]).values(False)


@dataclass(frozen=True)
class Panel:
    """Queries by their legends, in PromQL; `{{label}}` in a legend is that label's value. `now` shows one value each,
    instead of a curve.
    """

    title: str
    says: str
    queries: Mapping[str, str]
    unit: str = "short"
    width: int = 8
    now: bool = False
    bars: bool = False


@dataclass(frozen=True)
class Dashboard:
    """`rows` by their titles."""

    uid: str
    title: str
    says: str
    since: str
    rows: Mapping[str, tuple[Panel, ...]]

    @property
    def file(self) -> Path:
        return FOLDER / f"{self.uid.removeprefix('countersign-')}.json"

    @property
    def panels(self) -> Iterator[Panel]:
        return (panel for row in self.rows.values() for panel in row)


def _rate(metric: str, labels: str, matchers: str = "") -> str:
    return f"sum by ({labels}) (rate({metric}{matchers}[$__rate_interval]))"


def _quantile(share: float, metric: str, labels: str = "", window: str = "$__rate_interval", matchers: str = "") -> str:
    grouped = f"le, {labels}" if labels else "le"
    return f"histogram_quantile({share}, sum by ({grouped}) (increase({metric}_bucket{matchers}[{window}])))"


def _polls(metric: str) -> str:
    """Of the server, whose label has no underscore; it adds `_total` or does not, as it is configured."""
    rates = (f'rate({name}{{taskqueue="countersign"}}[5m])' for name in (metric, f"{metric}_total"))
    return f"sum({' or '.join(rates)})"


_POLLS_WITH_A_TASK: Final = f"{_polls('poll_success')} / ({_polls('poll_success')} + {_polls('poll_timeouts')})"
OPERATIONS: Final = Dashboard(
    uid="countersign-operations",
    title="Countersign: operations",
    says="Whether it keeps its promises: problems, callbacks, notifications, hand-offs, providers, workers, database",
    since="now-6h",
    rows={
        "Now": (
            Panel("Alerts", "What Prometheus fires", {"{{alertname}}": _FIRING}, now=True, width=6),
            Panel(
                "Problems",
                "Open follow-ups with a problem, or that need a person",
                {"{{code}}": "max by (code) (countersign_problems) > 0"},
                now=True,
                width=6,
            ),
            Panel(
                "Open",
                "Open follow-ups",
                {"{{state}}": "sum by (state) (max by (kind, state) (countersign_open))"},
                now=True,
                width=6,
            ),
            Panel(
                "Hand-offs",
                "Those that wait, and those given up in the last day",
                {"{{state}}": "max by (state) (countersign_hand_offs)"},
                now=True,
                width=6,
            ),
        ),
        "What comes in": (
            Panel(
                "Callbacks by answer",
                "Calls of Core Signature",
                {"{{answer}}": _rate("countersign_callbacks_total", "answer") + " > 0"},
                "reqps",
            ),
            Panel(
                "Mended by reconciliation",
                "Requests told of what no callback told them, in an hour",
                {"mended": "sum(increase(countersign_reconciliation_mends_total[1h]))"},
            ),
            Panel(
                "Other calls by answer",
                "Onboardings of other systems, phones of apps, payloads decoded for operators",
                {
                    "onboarding {{answer}}": _rate("countersign_hooks_total", "answer") + " > 0",
                    "phone {{answer}}": _rate("countersign_devices_total", "answer") + " > 0",
                    "codec {{answer}}": _rate("countersign_codec_calls_total", "answer") + " > 0",
                },
                "reqps",
            ),
        ),
        "What goes out": (
            Panel(
                "Notifications by outcome",
                "Lines of the notification log",
                {"{{channel}} {{outcome}}": _rate("countersign_notifications_total", "channel, outcome") + " > 0"},
                "cps",
            ),
            Panel(
                "How late notifications are",
                "From the planned instant until sent; alarm above 60 s",
                {
                    "half": _quantile(0.5, "countersign_notification_lateness_seconds", window="30m"),
                    "95 %": _quantile(0.95, "countersign_notification_lateness_seconds", window="30m"),
                },
                "s",
            ),
            Panel(
                "Attempts of hand-offs",
                "By way and outcome",
                {"{{way}} {{outcome}}": _rate("countersign_hand_off_attempts_total", "way, outcome") + " > 0"},
                "cps",
            ),
        ),
        "Core Signature and push services": (
            Panel(
                "Calls by outcome",
                "Each attempt counts",
                {"{{service}} {{outcome}}": _rate("countersign_provider_calls_total", "service, outcome") + " > 0"},
                "reqps",
            ),
            Panel(
                "How long calls take, 95 %",
                "By operation",
                {
                    "{{service}} {{operation}}": _quantile(
                        0.95, "countersign_provider_call_duration_seconds", "service, operation", "10m"
                    )
                },
                "s",
            ),
            Panel(
                "How long calls wait for the rate, 95 %",
                "Before they are made; campaigns are meant to wait",
                {"{{service}}": _quantile(0.95, "countersign_provider_rate_wait_seconds", "service", "10m")},
                "s",
            ),
        ),
        "Workers": (
            Panel(
                "Workflow tasks: schedule to start, 99 %",
                "Alarm above 200 ms on the queue countersign; queues with a rate are meant to wait",
                {
                    "{{task_queue}}": _quantile(
                        0.99, "temporal_workflow_task_schedule_to_start_latency_seconds", "task_queue", "5m"
                    )
                },
                "s",
            ),
            Panel(
                "Activities: schedule to start, 99 %",
                "By queue",
                {
                    "{{task_queue}}": _quantile(
                        0.99, "temporal_activity_schedule_to_start_latency_seconds", "task_queue", "5m"
                    )
                },
                "s",
            ),
            Panel(
                "Free slots",
                "Alarm at 0",
                {"{{task_queue}} {{worker_type}}": _SLOTS},
            ),
            Panel(
                "Sync match and poll success",
                "Of the server, on the queue countersign; alarm below 95 % and, under load, 90 %",
                {
                    "sync match": f"{_polls('poll_success_sync')} / {_polls('poll_success')}",
                    "poll success": _POLLS_WITH_A_TASK,
                },
                "percentunit",
            ),
            Panel(
                "Failures",
                "Workflow tasks and activities; a workflow task that fails again and again is a fault of ours",
                {
                    "task {{workflow_type}}": _rate("temporal_workflow_task_execution_failed_total", "workflow_type"),
                    "activity {{activity_type}}": _rate("temporal_activity_execution_failed_total", "activity_type"),
                },
                "cps",
            ),
            Panel(
                "Requests to Temporal",
                "All, and those that failed",
                {
                    "all": "sum(rate(temporal_request_total[$__rate_interval]))",
                    "failed {{operation}}": _rate("temporal_request_failure_total", "operation"),
                },
                "reqps",
            ),
            Panel(
                "Workflows in memory",
                "Of at most 1,000 a worker",
                {"{{task_queue}}": "sum by (task_queue) (temporal_sticky_cache_size)"},
            ),
            Panel(
                "Pollers",
                "By queue",
                {"{{task_queue}} {{poller_type}}": "sum by (task_queue, poller_type) (temporal_num_pollers)"},
            ),
            Panel(
                "Last reconciliation",
                "Seconds ago; alarm after half an hour",
                {"ago": "time() - max(countersign_counted_timestamp_seconds > 0)"},
                "s",
            ),
        ),
        "Database": (
            Panel(
                "Statements",
                "By outcome",
                {"{{outcome}}": _rate("countersign_database_statements_total", "outcome")},
                "cps",
            ),
            Panel(
                "How long statements take",
                "Each at most 5 s",
                {
                    "half": _quantile(0.5, "countersign_database_statement_duration_seconds", window="10m"),
                    "99 %": _quantile(0.99, "countersign_database_statement_duration_seconds", window="10m"),
                },
                "s",
            ),
            Panel(
                "Calls that found no database",
                "In five minutes",
                {"{{instance}}": "sum by (instance) (increase(countersign_database_away_total[5m]))"},
            ),
        ),
    },
)
BUSINESS: Final = Dashboard(
    uid="countersign-business",
    title="Countersign: business",
    says="Where requests wait, how long signing takes by kind, what reminders and escalations do, where the time goes",
    since="now-30d",
    rows={
        "Now and today": (
            Panel(
                "Open",
                "Follow-ups that go on",
                {"open": "sum(max by (kind, state) (countersign_open))"},
                now=True,
                width=6,
            ),
            Panel("Started, a day", "", {"started": "sum(increase(countersign_started_total[1d]))"}, now=True, width=6),
            Panel(
                "Ended, a day",
                "",
                {"{{outcome}}": "sum by (outcome) (increase(countersign_settled_total[1d])) > 0"},
                now=True,
                width=6,
            ),
            Panel("Need a person", "", {"{{code}}": "max by (code) (countersign_problems) > 0"}, now=True, width=6),
        ),
        "Where requests wait": (
            Panel(
                "By status",
                "`sent`: nobody has looked; `viewed`: somebody reads; `converting`: Core Signature prepares",
                {"{{state}}": "sum by (state) (max by (kind, state) (countersign_open))"},
                bars=True,
                width=12,
            ),
            Panel(
                "By kind",
                "All that are open",
                {"{{kind}}": "sum by (kind) (max by (kind, state) (countersign_open)) > 0"},
                bars=True,
                width=12,
            ),
        ),
        "How long signing takes": (
            Panel(
                "Half are signed within, by kind",
                "Of those signed in the last 30 days",
                {"{{kind}}": _quantile(0.5, "countersign_time_to_sign_seconds", "kind", "30d")},
                "s",
                now=True,
                width=12,
            ),
            Panel(
                "Nine of ten are signed within, by kind",
                "Of those signed in the last 30 days",
                {"{{kind}}": _quantile(0.9, "countersign_time_to_sign_seconds", "kind", "30d")},
                "s",
                now=True,
                width=12,
            ),
        ),
        "What reminders and escalations do": (
            Panel(
                "Signed after",
                "The strongest notice that came before the last signature",
                {"{{after}}": "sum by (after) (increase(countersign_signed_total[30d])) > 0"},
                now=True,
            ),
            Panel(
                "Half are signed within, by what came before",
                "",
                {"{{after}}": _quantile(0.5, "countersign_time_to_sign_seconds", "after", "30d")},
                "s",
                now=True,
            ),
            Panel(
                "Notices, a day",
                "",
                {
                    "reminders": "sum(increase(countersign_reminders_total[1d]))",
                    "last warnings": "sum(increase(countersign_warnings_total[1d]))",
                    "escalations": "sum(increase(countersign_escalations_total[1d]))",
                },
                bars=True,
            ),
        ),
        "Where the time goes": (
            Panel(
                "Waited for",
                "Of what ended in 30 days: share of the time by who had the ball",
                {
                    "{{holder}}": "sum by (holder) (increase(countersign_waited_seconds_total[30d]))"
                    " / on () group_left sum(increase(countersign_waited_seconds_total[30d])) > 0"
                },
                "percentunit",
                now=True,
            ),
            Panel(
                "Signed or done late, by kind",
                "In 30 days",
                {"{{kind}}": "sum by (kind) (increase(countersign_settled_late_total[30d])) > 0"},
                now=True,
            ),
            Panel(
                "After an escalation",
                "Who acted, in 30 days",
                {"{{by}}": "sum by (by) (increase(countersign_escalations_brought_total[30d])) > 0"},
                now=True,
            ),
        ),
        "How it ends": (
            Panel(
                "Outcomes, a day",
                "",
                {"{{outcome}}": "sum by (outcome) (increase(countersign_settled_total[1d])) > 0"},
                bars=True,
                width=12,
            ),
            Panel(
                "Not signed, by kind",
                "Share of those that ended in 30 days",
                {"{{kind}}": _NOT_SIGNED},
                "percentunit",
                now=True,
                width=12,
            ),
        ),
    },
)
DASHBOARDS: Final = (OPERATIONS, BUSINESS)


def render(dashboard: Dashboard) -> str:
    """The file that Grafana imports."""
    builder = (
        Builder(dashboard.title)
        .uid(dashboard.uid)
        .description(dashboard.says)
        .tags(["countersign"])
        .time(dashboard.since, "now")
        .refresh("1m")
        .timezone("browser")
        .readonly()
        .with_variable(DatasourceVariable("source").label("Prometheus").type("prometheus"))
    )
    ids = count(1)
    for title, panels in dashboard.rows.items():
        builder.with_row(Row(title).id(next(ids)))
        for panel in panels:
            builder.with_panel(_build(panel).id(next(ids)))
    return JSONEncoder(sort_keys=True, indent=2).encode(builder.build()) + "\n"


def main() -> None:
    for dashboard in DASHBOARDS:
        dashboard.file.write_text(render(dashboard))


def _build(panel: Panel) -> Stat | BarGauge | TimeSeries:
    if panel.now and panel.width < _WIDTH // 3:
        built: Stat | BarGauge | TimeSeries = Stat().reduce_options(_LAST)
    elif panel.now:
        built = (
            BarGauge()
            .reduce_options(_LAST)
            .orientation(VizOrientation.HORIZONTAL)
            .display_mode(BarGaugeDisplayMode.BASIC)
        )
    else:
        legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
        built = TimeSeries().legend(legend.show_legend(True)).fill_opacity(30 if panel.bars else 5)
    built.title(panel.title).description(panel.says).unit(panel.unit).datasource(_SOURCE).min(0)
    built.span(panel.width).height(8)
    for number, (legend_format, query) in enumerate(panel.queries.items()):
        target = Dataquery().expr(query).legend_format(legend_format).ref_id(chr(ord("A") + number))
        built.with_target(target.instant() if panel.now else target.range())
    return built


if __name__ == "__main__":
    main()
