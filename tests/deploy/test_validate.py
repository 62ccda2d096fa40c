"""Each check of the deploy files finds a wrong key; what is here has none."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy import validate
from deploy.validate import CHECKS, HERE, Check, ToolMissing


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    """A copy of the folder, to be spoiled."""
    copy = tmp_path / "deploy"
    shutil.copytree(HERE, copy, ignore=shutil.ignore_patterns("__pycache__", "local", "demo", "sandbox", "examples"))
    return copy


def found(check: Callable[[Path], Iterator[str]], deploy: Path) -> list[str]:
    """The faults, of a tool that is here."""
    try:
        return list(check(deploy))
    except ToolMissing as missing:
        pytest.skip(f"there is no {missing} here")


def spoil(file: Path, *, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_what_is_here_has_no_fault(check: Check) -> None:
    assert found(check.faults, HERE) == []


WORKERS = "kustomize/components/worker-controller/pods/workers.yaml"
SCALED = "kustomize/components/keda/scaledobjects.yaml"


@pytest.mark.parametrize(
    ("check", "file", "old", "new", "says"),
    [
        (validate.compose, "compose.yaml", "read_only: true", "read_onyl: true", "read_onyl"),
        (validate.compose, ".env.example", "COUNTERSIGN_SIGNATURE_URL=", "OTHER=", "COUNTERSIGN_SIGNATURE_URL"),
        (validate.compose, "compose.yaml", "- webhook_segment", "- webhook_segments", "webhook_segments"),
        (validate.cluster, "kustomize/base/web.yaml", "minReplicas: 2", 'minReplicas: "2"', "minReplicas"),
        (
            validate.cluster,
            "kustomize/base/workers.yaml",
            "terminationGracePeriodSeconds",
            "gracePeriod",
            "gracePeriod",
        ),
        (validate.cluster, "kustomize/base/network.yaml", "policyTypes", "policyType", "policyType"),
        (validate.cluster, "kustomize/base/kustomization.yaml", "web.yaml", "wep.yaml", "wep.yaml"),
        (validate.cluster, "kustomize/base/init.yaml", "kind: Job", "kind: Jop", "Jop"),
        (validate.cluster, SCALED, "minReplicaCount: 1", "minReplicaCount: 0", "minReplicaCount"),
        (validate.cluster, SCALED, "taskQueue:", "taskQueues:", "taskQueue"),
        (validate.cluster, SCALED, "type: temporal", "type: kafka", "temporal"),
        (validate.cluster, WORKERS, "strategy: Progressive", "strategy: Canary", "Canary"),
        (validate.cluster, WORKERS, "steps:", "stages:", "stages"),
        (validate.cluster, WORKERS, "rampPercentage: 5,", "rampPercentage: 100,", "rampPercentage"),
        (validate.cluster, WORKERS, "connectionRef", "connection", "connection"),
        (validate.cluster, WORKERS, "hostPort: temporal", "hostPort: https://temporal", "hostPort"),
        (validate.cluster, WORKERS, "kind: Connection", "kind: Connector", "no schema knows this kind"),
        (validate.prometheus, "prometheus/prometheus.yaml", "scrape_configs", "scrape_config", "scrape_config"),
        (validate.scripts, "temporal/schema.sh", '"$PASSWORD_FILE"', "$PASSWORD_FILE", "SC2086"),
        (validate.collector, "otel/collector.yaml", "exporters: [debug]", "exporters: [debuk]", "no exporters debuk"),
        (
            validate.grafana,
            "grafana/provisioning/datasources/prometheus.yaml",
            "apiVersion: 1",
            "apiVersion: 2",
            "must",
        ),
    ],
)
def test_a_wrong_key_is_found(
    deploy: Path, check: Callable[[Path], Iterator[str]], file: str, old: str, new: str, says: str
) -> None:
    spoil(deploy / file, old=old, new=new)
    assert re.search(re.escape(says), "\n".join(found(check, deploy)))


def test_rules_and_a_dockerfile_are_looked_at(deploy: Path) -> None:
    (deploy / "prometheus" / "rules.yaml").write_text("groups: [{name: a, rules: [{alert: A, exprr: up}]}]\n")
    assert any("exprr" in fault for fault in found(validate.prometheus, deploy))
    (deploy / "image").mkdir(exist_ok=True)
    (deploy / "image" / "Dockerfile").write_text("FROM debian\nRUN cd /tmp && apt-get install x\n")
    assert any("DL3008" in fault for fault in found(validate.dockerfile, deploy))


def test_a_missing_tool_is_a_line_and_a_fault_only_where_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_here(program: str, *_: str, **__: object) -> "subprocess.CompletedProcess[str]":
        raise ToolMissing(program)

    monkeypatch.setattr(validate, "run", nothing_here)
    monkeypatch.delenv(validate.REQUIRED, raising=False)
    assert validate.main() == 0
    monkeypatch.setenv(validate.REQUIRED, "1")
    assert validate.main() == 1
