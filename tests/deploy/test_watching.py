"""What Prometheus and Grafana of compose.yaml look at is what runs there."""

from typing import Any

from ruamel.yaml import YAML

from deploy.validate import HERE
from tests.deploy.containers import of_compose


def read(file: str) -> Any:
    return YAML(typ="safe").load(HERE / file)


def test_prometheus_asks_each_process_of_ours_and_nobody_who_is_not_there() -> None:
    jobs = {
        job["job_name"]: job["static_configs"][0]["targets"]
        for job in read("prometheus/prometheus.yaml")["scrape_configs"]
    }
    at_work = {name: container.environment for name, container in of_compose().items() if container.words != ("init",)}
    assert set(jobs["countersign"]) == {
        f"{name}:{environment['OTEL_EXPORTER_PROMETHEUS_PORT']}" for name, environment in at_work.items()
    }
    services = read("compose.yaml")["services"]
    assert {target.partition(":")[0] for targets in jobs.values() for target in targets} <= services.keys()
    assert jobs["temporal"] == [f"temporal:{port(services['temporal']['environment']['PROMETHEUS_ENDPOINT'])}"]
    assert jobs["otel-collector"] == [
        f"otel-collector:{port(read('otel/collector.yaml')['exporters']['prometheus']['endpoint'])}"
    ]


def test_traces_go_where_the_collector_listens() -> None:
    listens = port(read("otel/collector.yaml")["receivers"]["otlp"]["protocols"]["http"]["endpoint"])
    for container in of_compose().values():
        assert container.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://otel-collector:{listens}"


def test_grafana_finds_the_dashboards_and_prometheus() -> None:
    [provider] = read("grafana/provisioning/dashboards/countersign.yaml")["providers"]
    assert f"./grafana:{provider['options']['path']}:ro" in read("compose.yaml")["services"]["grafana"]["volumes"]
    [source] = read("grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://prometheus:9090", True)
    assert list((HERE / "grafana").glob("*.json"))


def port(address: str) -> str:
    return address.rpartition(":")[2]
