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
from tests.deploy.containers import Container, of_cluster, of_compose, render
from tests.deploy.test_environment import OVERLAYS
from workflows.names import WORKFLOW_QUEUES

POOLS = {"requests", "campaigns", "core-signature", "reconciliation"}
PATIENCE = int(GRACE.total_seconds()) + 15


def overlay(name: str) -> tuple[Sequence[Manifest], Sequence[Container]]:
    folder = HERE / "kustomize" / "overlays" / name
    return render(folder), list(of_cluster(folder))


def select_kinds(manifests: Iterable[Manifest], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def list_names(manifests: Iterable[Manifest]) -> list[str]:
    return [manifest["metadata"]["name"] for manifest in manifests]


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
    at_work = [container for container in overlay(name)[1] if container.words[0] != "init"]
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
    workers = [container.words for container in containers if container.words[0] == "worker"]
    return [*chain.from_iterable(arguments[arguments.index("--queues") + 1].split(",") for arguments in workers)]


@pytest.mark.parametrize("name", OVERLAYS)
def test_nothing_is_scaled_by_two_and_one_can_always_be_moved(name: str) -> None:
    manifests = overlay(name)[0]
    deployments = {manifest["metadata"]["name"]: manifest["spec"] for manifest in select_kinds(manifests, "Deployment")}
    scaled = [
        manifest["spec"]["scaleTargetRef"]["name"]
        for manifest in select_kinds(manifests, "HorizontalPodAutoscaler", "ScaledObject")
    ]
    assert len(scaled) == len(set(scaled))
    assert set(scaled) <= deployments.keys()
    # Who has a number of replicas in the file as well is set back to it by each apply.
    assert not [name for name in scaled if "replicas" in deployments[name]]
    assert set(list_names(select_kinds(manifests, "PodDisruptionBudget"))) == deployments.keys()
    assert all(manifest["spec"]["maxUnavailable"] == 1 for manifest in select_kinds(manifests, "PodDisruptionBudget"))


def test_each_pool_is_scaled_by_a_queue_that_it_works_on() -> None:
    scaled = select_kinds(overlay("prod")[0], "ScaledObject")
    assert {scaled_object["spec"]["triggers"][0]["metadata"]["taskQueue"] for scaled_object in scaled} == set(
        WORKFLOW_QUEUES
    )


def test_all_processes_together_fit_into_the_database() -> None:
    manifests = overlay("prod")[0]
    replica_limits = [
        manifest["spec"]["maxReplicas"] for manifest in select_kinds(manifests, "HorizontalPodAutoscaler")
    ]
    replica_limits += [manifest["spec"]["maxReplicaCount"] for manifest in select_kinds(manifests, "ScaledObject")]
    together = (sum(replica_limits) + len(select_kinds(manifests, "Job"))) * CONNECTIONS_AT_MOST
    pages = [(HERE.parent / page).read_text() for page in ("docs/cluster.md", "tests/limits.toml")]
    assert all(str(together) in page for page in pages)
    [max_connections] = re.findall(r"max_connections=(\d+)", (HERE / "compose.yaml").read_text())
    assert together < int(max_connections)


@pytest.mark.long
def test_versions_have_the_pods_of_the_deployments_they_stand_for() -> None:
    plain, versioned = overlay("prod")[0], overlay("versioned")[0]
    plain_templates = {
        manifest["metadata"]["name"]: manifest["spec"]["template"] for manifest in select_kinds(plain, "Deployment")
    }
    versioned_templates = {
        manifest["metadata"]["name"]: manifest["spec"]["template"]
        for manifest in select_kinds(versioned, "WorkerDeployment")
    }
    assert versioned_templates == {name: plain_templates[name] for name in versioned_templates}
    assert set(versioned_templates) == {"worker", "campaign-worker"}
    assert not select_kinds(versioned, "ScaledObject")


@pytest.mark.long
def test_versions_and_cloud_go_together(tmp_path: Path) -> None:
    shutil.copytree(HERE / "kustomize", tmp_path / "kustomize")
    for folder in ("config", "nginx"):
        shutil.copytree(HERE / folder, tmp_path / folder)
    versioned_overlay = tmp_path / "kustomize" / "overlays" / "versioned"
    with (versioned_overlay / "kustomization.yaml").open("a") as file:
        file.write("  - ../../components/temporal-cloud\n")
    built = render(versioned_overlay)
    assert [fault for manifest in built for fault in validate.faults_of(manifest, tmp_path)] == []
    [connection] = select_kinds(built, "Connection")
    assert connection["spec"]["mutualTLSSecretRef"] == {"name": "temporal-tls"}
    assert connection["spec"]["hostPort"].endswith(".tmprl.cloud:7233")
    versions = select_kinds(built, "WorkerDeployment")
    assert {version["spec"]["workerOptions"]["temporalNamespace"] for version in versions} == {"countersign.a1b2c"}
    for version in versions:
        names = [volume["name"] for volume in version["spec"]["template"]["spec"]["volumes"]]
        assert names[-1] == "temporal-tls"


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_change_of_what_is_mounted_replaces_the_pods(name: str) -> None:
    """By the hash in the name of each ConfigMap."""
    manifests, containers = overlay(name)
    maps = {*list_names(select_kinds(manifests, "ConfigMap"))}
    assert {map_name.rpartition("-")[0] for map_name in maps} == {
        f"countersign-{map_name}" for map_name in ("company", "mappings", "nginx", "settings")
    }
    of_nginx = {map_name for map_name in maps if map_name.startswith("countersign-nginx-")}
    for container in containers:
        is_web = container.words[0] == "webhook"
        assert set(list_mounted_maps(container)) == (maps if is_web else maps - of_nginx)


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_web_process_is_reached_through_nginx_alone(name: str) -> None:
    manifests, containers = overlay(name)
    [web] = [pod_container for pod_container in containers if pod_container.words[0] == "webhook"]
    assert web.environment["COUNTERSIGN_WEBHOOK_BIND"] == "127.0.0.1:8080"
    assert web.environment["COUNTERSIGN_WEBHOOK_PROXIES"] == "127.0.0.1"
    [nginx] = [
        pod_container for pod_container in web.described["pod"]["containers"] if pod_container["name"] == "nginx"
    ]
    assert nginx["securityContext"] == web.described["container"]["securityContext"]
    assert nginx["ports"] == [{"name": "http", "containerPort": 8000}]
    [policy] = [
        network_policy
        for network_policy in select_kinds(manifests, "NetworkPolicy")
        if network_policy["metadata"]["name"] == "web"
    ]
    assert [port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]] == [8000]


def list_mounted_maps(container: Container) -> list[str]:
    """The ConfigMaps of a pod."""
    volumes: Sequence[Mapping[str, Any]] = container.described["pod"]["volumes"]
    inner = container.described["container"]
    return [
        *(volume["configMap"]["name"] for volume in volumes if "configMap" in volume),
        *(source["configMapRef"]["name"] for source in inner["envFrom"]),
    ]


@pytest.mark.parametrize("name", OVERLAYS)
def test_who_is_reached_is_listed_and_nothing_inside_the_cloud_by_https(name: str) -> None:
    policies = select_kinds(overlay(name)[0], "NetworkPolicy")
    [policy] = [
        network_policy["spec"] for network_policy in policies if network_policy["metadata"]["name"] == "countersign"
    ]
    assert policy["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "countersign"}
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert all(rule.get("to") and rule.get("ports") for rule in policy["egress"])
    anywhere = [block["ipBlock"] for rule in policy["egress"] for block in rule["to"] if "ipBlock" in block]
    v4 = [block for block in anywhere if block["cidr"] == "0.0.0.0/0"]
    assert v4 and all({"10.0.0.0/8", "169.254.0.0/16"} <= set(block["except"]) for block in v4)


def test_compose_takes_the_same_care() -> None:
    containers = of_compose()
    assert sorted(queues(containers.values())) == sorted(POOLS)
    for container in containers.values():
        service = container.described
        assert (service["read_only"], service["cap_drop"], service["security_opt"]) == (
            True,
            ["ALL"],
            ["no-new-privileges:true"],
        )
        assert service["stop_grace_period"] == f"{PATIENCE}s"
        declared = {secret["target"] for secret in service["secrets"]}
        assert {path for name, path in container.environment.items() if path.startswith("/run/secrets/")} <= declared
