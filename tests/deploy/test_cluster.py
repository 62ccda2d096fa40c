"""What the files for a cluster promise of every pod, beside being valid."""

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from activities.records.database import CONNECTIONS_AT_MOST
from deploy import validate
from deploy.validate import HERE, Manifest
from starter.temporal.workers import GRACE
from tests.deploy.containers import Container, of_cluster, of_compose, rendered
from tests.deploy.test_environment import OVERLAYS
from workflows.names import WORKFLOW_QUEUES

POOLS = {"requests", "campaigns", "core-signature", "reconciliation"}
PATIENCE = int(GRACE.total_seconds()) + 15


def overlay(name: str) -> tuple[Sequence[Manifest], Sequence[Container]]:
    folder = HERE / "kustomize" / "overlays" / name
    return rendered(folder), list(of_cluster(folder))


def of_kind(manifests: Iterable[Manifest], *kinds: str) -> list[Manifest]:
    return [one for one in manifests if one["kind"] in kinds]


def named(manifests: Iterable[Manifest]) -> list[str]:
    return [one["metadata"]["name"] for one in manifests]


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_pod_may_do_more_than_it_must(name: str) -> None:
    for container in overlay(name)[1]:
        pod, inner = container.described["pod"], container.described["container"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
        assert inner["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert inner["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in inner["resources"]["limits"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_each_process_is_probed_and_has_its_grace(name: str) -> None:
    at_work = [one for one in overlay(name)[1] if one.words[0] != "init"]
    assert len(at_work) == 3
    for container in at_work:
        inner = container.described["container"]
        probes = {probe: inner[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")}
        assert probes == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
        port = int(container.environment["COUNTERSIGN_HEALTH_BIND"].rpartition(":")[2])
        assert {"name": "health", "containerPort": port} in inner["ports"]
        assert container.described["pod"]["terminationGracePeriodSeconds"] == PATIENCE


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_pools_share_all_queues_and_no_queue_twice(name: str) -> None:
    assert sorted(queues(overlay(name)[1])) == sorted(POOLS)


def queues(containers: Iterable[Container]) -> list[str]:
    """The words of all `--queues`."""
    workers = [one.words for one in containers if one.words[0] == "worker"]
    return [*chain.from_iterable(words[words.index("--queues") + 1].split(",") for words in workers)]


@pytest.mark.parametrize("name", OVERLAYS)
def test_nothing_is_scaled_by_two_and_one_can_always_be_moved(name: str) -> None:
    manifests = overlay(name)[0]
    deployments = {one["metadata"]["name"]: one["spec"] for one in of_kind(manifests, "Deployment")}
    scaled = [
        one["spec"]["scaleTargetRef"]["name"] for one in of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject")
    ]
    assert len(scaled) == len(set(scaled))
    assert set(scaled) <= deployments.keys()
    # Who has a number of replicas in the file as well is set back to it by each apply.
    assert not [one for one in scaled if "replicas" in deployments[one]]
    assert set(named(of_kind(manifests, "PodDisruptionBudget"))) == deployments.keys()
    assert all(one["spec"]["maxUnavailable"] == 1 for one in of_kind(manifests, "PodDisruptionBudget"))


def test_each_pool_is_scaled_by_a_queue_that_it_works_on() -> None:
    scaled = of_kind(overlay("prod")[0], "ScaledObject")
    assert {one["spec"]["triggers"][0]["metadata"]["taskQueue"] for one in scaled} == set(WORKFLOW_QUEUES)


def test_all_processes_together_fit_into_the_database() -> None:
    manifests = overlay("prod")[0]
    most = [one["spec"]["maxReplicas"] for one in of_kind(manifests, "HorizontalPodAutoscaler")]
    most += [one["spec"]["maxReplicaCount"] for one in of_kind(manifests, "ScaledObject")]
    together = (sum(most) + len(of_kind(manifests, "Job"))) * CONNECTIONS_AT_MOST
    pages = [(HERE.parent / page).read_text() for page in ("docs/cluster.md", "tests/limits.toml")]
    assert all(str(together) in page for page in pages)
    [ours] = re.findall(r"max_connections=(\d+)", (HERE / "compose.yaml").read_text())
    assert together < int(ours)


def test_versions_have_the_pods_of_the_deployments_they_stand_for() -> None:
    plain, versioned = overlay("prod")[0], overlay("versioned")[0]
    before = {one["metadata"]["name"]: one["spec"]["template"] for one in of_kind(plain, "Deployment")}
    now = {one["metadata"]["name"]: one["spec"]["template"] for one in of_kind(versioned, "WorkerDeployment")}
    assert now == {name: before[name] for name in now}
    assert set(now) == {"worker", "campaign-worker"}
    assert not of_kind(versioned, "ScaledObject")


def test_versions_and_cloud_go_together(tmp_path: Path) -> None:
    shutil.copytree(HERE / "kustomize", tmp_path / "kustomize")
    for folder in ("config", "nginx"):
        shutil.copytree(HERE / folder, tmp_path / folder)
    both = tmp_path / "kustomize" / "overlays" / "versioned"
    with (both / "kustomization.yaml").open("a") as file:
        file.write("  - ../../components/temporal-cloud\n")
    built = rendered(both)
    assert [fault for one in built for fault in validate.faults_of(one, tmp_path)] == []
    [connection] = of_kind(built, "Connection")
    assert connection["spec"]["mutualTLSSecretRef"] == {"name": "temporal-tls"}
    assert connection["spec"]["hostPort"].endswith(".tmprl.cloud:7233")
    versions = of_kind(built, "WorkerDeployment")
    assert {one["spec"]["workerOptions"]["temporalNamespace"] for one in versions} == {"countersign.a1b2c"}
    for one in versions:
        names = [each["name"] for each in one["spec"]["template"]["spec"]["volumes"]]
        assert names[-1] == "temporal-tls"


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_change_of_what_is_mounted_replaces_the_pods(name: str) -> None:
    """By the hash in the name of each ConfigMap."""
    manifests, containers = overlay(name)
    maps = {*named(of_kind(manifests, "ConfigMap"))}
    assert {one.rpartition("-")[0] for one in maps} == {
        f"countersign-{one}" for one in ("company", "mappings", "nginx", "settings")
    }
    of_nginx = {one for one in maps if one.startswith("countersign-nginx-")}
    for container in containers:
        is_web = container.words[0] == "webhook"
        assert set(mounted(container)) == (maps if is_web else maps - of_nginx)


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_web_process_is_reached_through_nginx_alone(name: str) -> None:
    manifests, containers = overlay(name)
    [web] = [one for one in containers if one.words[0] == "webhook"]
    assert web.environment["COUNTERSIGN_WEBHOOK_BIND"] == "127.0.0.1:8080"
    assert web.environment["COUNTERSIGN_WEBHOOK_PROXIES"] == "127.0.0.1"
    [nginx] = [one for one in web.described["pod"]["containers"] if one["name"] == "nginx"]
    assert nginx["securityContext"] == web.described["container"]["securityContext"]
    assert nginx["ports"] == [{"name": "http", "containerPort": 8000}]
    [policy] = [one for one in of_kind(manifests, "NetworkPolicy") if one["metadata"]["name"] == "web"]
    assert [port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]] == [8000]


def mounted(container: Container) -> list[str]:
    """The ConfigMaps of a pod."""
    volumes: Sequence[Mapping[str, Any]] = container.described["pod"]["volumes"]
    inner = container.described["container"]
    return [
        *(one["configMap"]["name"] for one in volumes if "configMap" in one),
        *(one["configMapRef"]["name"] for one in inner["envFrom"]),
    ]


@pytest.mark.parametrize("name", OVERLAYS)
def test_who_is_reached_is_listed_and_nothing_inside_the_cloud_by_https(name: str) -> None:
    policies = of_kind(overlay(name)[0], "NetworkPolicy")
    [ours] = [one["spec"] for one in policies if one["metadata"]["name"] == "countersign"]
    assert ours["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "countersign"}
    assert ours["policyTypes"] == ["Ingress", "Egress"]
    assert all(rule.get("to") and rule.get("ports") for rule in ours["egress"])
    anywhere = [block["ipBlock"] for rule in ours["egress"] for block in rule["to"] if "ipBlock" in block]
    v4 = [one for one in anywhere if one["cidr"] == "0.0.0.0/0"]
    assert v4 and all({"10.0.0.0/8", "169.254.0.0/16"} <= set(one["except"]) for one in v4)


def test_compose_takes_the_same_care() -> None:
    containers = of_compose()
    assert sorted(queues(containers.values())) == sorted(POOLS)
    for one in containers.values():
        said = one.described
        assert (said["read_only"], said["cap_drop"], said["security_opt"]) == (
            True,
            ["ALL"],
            ["no-new-privileges:true"],
        )
        assert said["stop_grace_period"] == f"{PATIENCE}s"
        declared = {each["target"] for each in said["secrets"]}
        assert {path for name, path in one.environment.items() if path.startswith("/run/secrets/")} <= declared
