"""Each check of the deploy files finds a wrong key; what is here has none."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from deploy import validate
from deploy.validate import HERE, ToolMissing
from tests.deploy.containers import render


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    """A copy of the folder, to be spoiled, with the overlays that have all of it."""
    copy = tmp_path / "deploy"
    shutil.copytree(HERE, copy, ignore=shutil.ignore_patterns("__pycache__", "local", "demo", "sandbox", "examples"))
    for overlay in ("dev", "cloud"):
        shutil.rmtree(copy / "kustomize" / "overlays" / overlay)
    return copy


def find_faults(check: Callable[[Path], Iterator[str]], deploy: Path) -> list[str]:
    """The faults, of a tool that is here."""
    try:
        return list(check(deploy))
    except ToolMissing as missing:
        pytest.skip(f"there is no {missing} here")


def spoil(file: Path, *, old_text: str, new_text: str) -> None:
    text = file.read_text()
    assert old_text in text
    file.write_text(text.replace(old_text, new_text, 1))


@pytest.mark.parametrize(
    ("check", "file", "old_text", "new_text", "message"),
    [
        (validate.compose, "compose.yaml", "read_only: true", "read_onyl: true", "read_onyl"),
        (validate.compose, ".env.example", "COUNTERSIGN_SIGNATURE_URL=", "OTHER=", "COUNTERSIGN_SIGNATURE_URL"),
        (validate.compose, "compose.yaml", "- webhook_segment", "- webhook_segments", "webhook_segments"),
        (validate.cluster, "kustomize/base/web.yaml", "minReplicas: 2", 'minReplicas: "2"', "minReplicas"),
        (validate.cluster, "kustomize/base/kustomization.yaml", "web.yaml", "wep.yaml", "wep.yaml"),
        (validate.prometheus, "prometheus/prometheus.yaml", "scrape_configs", "scrape_config", "scrape_config"),
        (validate.nginx, "nginx/routes.conf", "proxy_pass", "proxy_past", "proxy_past"),
        (validate.nginx, "nginx/machine.conf", "tls/key.pem", "tls/kee.pem", "kee.pem"),
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
    deploy: Path, check: Callable[[Path], Iterator[str]], file: str, old_text: str, new_text: str, message: str
) -> None:
    spoil(deploy / file, old_text=old_text, new_text=new_text)
    assert re.search(re.escape(message), "\n".join(find_faults(check, deploy)))


WORKERS, SCALED, WEB = ("versioned", "WorkerDeployment"), ("cloud", "ScaledObject"), ("prod", "Deployment")


@pytest.mark.parametrize(
    ("overlay_and_kind", "path", "wrong", "message"),
    [
        (WEB, "spec.template.spec.gracePeriod", 45, "gracePeriod"),
        (WEB, "kind", "Deployed", "Deployed"),
        (("prod", "NetworkPolicy"), "spec.policyType", ["Egress"], "policyType"),
        (("prod", "HorizontalPodAutoscaler"), "spec.minReplicas", "2", "minReplicas"),
        (SCALED, "spec.minReplicaCount", 0, "minReplicaCount"),
        (SCALED, "spec.idleReplicaCount", 0, "idleReplicaCount"),
        (SCALED, "spec.triggers.0.type", "kafka", "'temporal' was expected"),
        (SCALED, "spec.triggers.0.metadata.taskQueues", "countersign", "taskQueues"),
        (SCALED, "spec.triggers.0.metadata.targetQueueSize", 20, "targetQueueSize"),
        (("cloud", "TriggerAuthentication"), "spec.secretTargetRef.0.parameter", "certificate", "certificate"),
        (WORKERS, "spec.rollout.strategy", "Canary", "Canary"),
        (WORKERS, "spec.rollout.steps", [], "steps"),
        (WORKERS, "spec.rollout.steps.0.rampPercentage", 100, "rampPercentage"),
        (WORKERS, "spec.workerOptions.connection", "temporal", "connection"),
        (WORKERS, "spec.template.spec.gracePeriod", 45, "gracePeriod"),
        (WORKERS, "spec.sunset.deleteDelay", "a week", "deleteDelay"),
        (("versioned", "Connection"), "spec.hostPort", "https://temporal", "hostPort"),
        (("versioned", "Connection"), "kind", "Connector", "no schema knows this kind"),
    ],
)
def test_a_wrong_key_of_an_object_is_found(
    overlay_and_kind: tuple[str, str], path: str, wrong: object, message: str
) -> None:
    overlay, kind = overlay_and_kind
    found_here = [
        manifest for manifest in render(HERE / "kustomize" / "overlays" / overlay) if manifest["kind"] == kind
    ]
    manifest = deepcopy(found_here[0])
    assert list(validate.faults_of(manifest, HERE)) == []
    *way, last = path.split(".")
    inner: Any = manifest
    for part in way:
        inner = inner[int(part) if part.isdigit() else part]
    inner[last] = wrong
    assert message in "\n".join(validate.faults_of(manifest, HERE))


def test_rules_and_a_dockerfile_are_looked_at(deploy: Path) -> None:
    (deploy / "prometheus" / "rules.yaml").write_text("groups: [{name: a, rules: [{alert: A, exprr: up}]}]\n")
    assert any("exprr" in fault for fault in find_faults(validate.prometheus, deploy))
    (deploy / "image").mkdir(exist_ok=True)
    (deploy / "image" / "Dockerfile").write_text("FROM debian\nRUN cd /tmp && apt-get install x\n")
    assert any("DL3008" in fault for fault in find_faults(validate.dockerfile, deploy))


def test_a_missing_tool_is_a_line_and_a_fault_only_where_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_here(program: str, *_: str, **__: object) -> "subprocess.CompletedProcess[str]":
        raise ToolMissing(program)

    monkeypatch.setattr(validate, "run", nothing_here)
    monkeypatch.delenv(validate.REQUIRED, raising=False)
    assert validate.main() == 0
    monkeypatch.setenv(validate.REQUIRED, "1")
    assert validate.main() == 1
