"""The environment of every container against the settings: unknown names, missing ones, and wrong values fail."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from activities.people import directory
from activities.policies.catalogue import Catalogue
from deploy import validate
from deploy.validate import HERE
from starter.config.environment import PREFIX
from starter.config.settings import OF_RECEIVER, OF_WORKER, Need, Settings, SettingsError, load, named_fields
from starter.web.intake.hook_mapping import SourceMapping
from tests.deploy.containers import Container, of_cluster, of_compose

NEEDS: Final[Mapping[str, tuple[Need, ...]]] = {"worker": OF_WORKER, "webhook": OF_RECEIVER, "init": ()}
"""By the first word of a container's command."""
_SECRETS: Final = {
    "PAYLOAD_KEYS": f"a={base64.b64encode(bytes(32)).decode()}",
    "HANDOFF_SECRETS": f"finance=whsec_{base64.b64encode(bytes(32)).decode()}",
    "HOOK_SECRETS": "crm=0123456789abcdef",
    "DATABASE": "postgresql://countersign:secret@postgresql/countersign",
}
_OTHERS: Final = re.compile(
    "OTEL_(METRICS|TRACES)_EXPORTER|OTEL_EXPORTER_OTLP_ENDPOINT|OTEL_EXPORTER_PROMETHEUS_(HOST|PORT)"
    "|TEMPORAL_(ADDRESS|NAMESPACE|TLS|TLS_CLIENT_(CERT|KEY)_PATH|CONFIG_FILE)|AWS_REGION"
)
"""Names of other systems, of docs/settings.md and docs/operating.md."""
_OF_COMPOSE: Final = re.compile(r"\$\{([A-Z_]+)")
_OF_THE_CLUSTER: Final = "/run/secrets/countersign/"
OVERLAYS: Final = [overlay_folder.name for overlay_folder in validate.overlays(HERE)]
SERVICES: Final = ("init", "worker", "campaign-worker", "web")


def load_settings(container: Container, folder: Path) -> Settings:
    """What its process makes of its environment, with secrets that a test wrote; `SettingsError` if it would not
    start."""
    environment = dict(container.environment)
    for name, path in container.environment.items():
        setting = name.removeprefix(PREFIX).removesuffix("_FILE")
        if name.startswith(PREFIX) and name.endswith("_FILE") and path and setting in dict(named_fields()):
            secret = folder / Path(path).name
            secret.write_text(_SECRETS.get(setting, "0123456789abcdef0123456789abcdef"))
            environment[name] = str(secret)
    return load(*NEEDS[container.words[0]], environment=environment)


def foreign(container: Container) -> Iterator[str]:
    """Names that nobody reads."""
    of_the_file = set(_OF_COMPOSE.findall((HERE / "compose.yaml").read_text()))
    for name in container.environment:
        if not name.startswith(PREFIX) and name not in of_the_file and not _OTHERS.fullmatch(name):
            yield name


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_of_compose_would_start(service: str, tmp_path: Path) -> None:
    containers = of_compose()
    assert set(containers) == set(SERVICES)
    settings = load_settings(containers[service], tmp_path)
    assert not [*foreign(containers[service])]
    assert settings.explicit.keys() >= {"DATABASE", "PAYLOAD_KEYS", "POLICIES", "COMPANY"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_container_of_the_cluster_would_start(overlay: str, tmp_path: Path) -> None:
    containers = list(of_cluster(HERE / "kustomize" / "overlays" / overlay))
    assert len(containers) == len(SERVICES)
    for container in containers:
        assert load_settings(container, tmp_path).explicit.keys() >= {"DATABASE", "STORE", "PAYLOAD_KEYS"}
        assert not [*foreign(container)], container.where


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("COUNTERSIGN_SIGNATURE_URI", "https://sign.example.com", "COUNTERSIGN_SIGNATURE_URI: no such setting"),
        ("COUNTERSIGN_SIGNATURE_CLIENT_ID", "", "COUNTERSIGN_SIGNATURE_CLIENT_ID: is missing"),
        ("COUNTERSIGN_PEOPLE", "", "COUNTERSIGN_PEOPLE: is missing"),
        ("COUNTERSIGN_LINK_BASE", "http://countersign.example.com", "COUNTERSIGN_LINK_BASE: must begin with https://"),
    ],
)
def test_a_name_too_many_or_too_few_is_found(name: str, value: str, message: str, tmp_path: Path) -> None:
    worker = of_compose()["worker"]
    with pytest.raises(SettingsError, match=re.escape(message)):
        load_settings(replace(worker, environment={**worker.environment, name: value}), tmp_path)
    assert [*foreign(replace(worker, environment={"OTEL_METRIC_EXPORTER": "otlp"}))] == ["OTEL_METRIC_EXPORTER"]


def test_every_secret_that_not_everybody_has_can_be_given(tmp_path: Path) -> None:
    names = ("HANDOFF_SECRETS", "HOOK_SECRETS", "PUSH_CREDENTIALS", "CODEC_TOKEN", "OIDC_CLIENT_SECRET")
    web = of_compose(dict.fromkeys(names, "./secrets/any"))["web"]
    settings_told = load_settings(
        replace(web, environment={**web.environment, "COUNTERSIGN_CODEC": "on"}), tmp_path
    ).explicit
    assert {
        "HANDOFF_SECRETS",
        "HOOK_SECRETS",
        "PUSH_CREDENTIALS_FILE",
        "CODEC_TOKEN",
        "OIDC_CLIENT_SECRET",
    } <= settings_told.keys()


@pytest.mark.parametrize("overlay", ["prod", "cloud"])
def test_people_sign_in_by_the_companys_provider(overlay: str, tmp_path: Path) -> None:
    for container in of_cluster(HERE / "kustomize" / "overlays" / overlay):
        settings = load_settings(container, tmp_path)
        assert settings.oidc.signs_in and {"OIDC_CLIENT_SECRET", "SIGN_IN"} <= settings.explicit.keys()


def test_the_example_names_settings_only() -> None:
    names = re.findall(r"(?m)^(?:# )?COUNTERSIGN_([A-Z_]+)=", (HERE / ".env.example").read_text())
    assert names and set(names) <= dict(named_fields()).keys()


def test_what_a_company_writes_is_read_by_our_readers() -> None:
    company, mappings = HERE / "config" / "company", HERE / "config" / "mappings"
    assert Catalogue.read(company / "policies.yaml").kinds
    people = company / "people.yaml"
    assert directory.read(people, people.read_bytes()).entries
    assert SourceMapping.read(mappings, "crm")


@pytest.mark.long
def test_every_secret_is_named_on_the_page_that_says_how_to_make_it() -> None:
    page = (HERE.parent / "docs" / "cluster.md").read_text()
    clusters = [container for name in OVERLAYS for container in of_cluster(HERE / "kustomize" / "overlays" / name)]
    keys = {
        path for container in clusters for path in container.environment.values() if path.startswith(_OF_THE_CLUSTER)
    }
    assert {key.removeprefix(_OF_THE_CLUSTER) for key in keys} == set(re.findall(r"--from-file=([a-z-]+)", page))
    files = set(re.findall(r"file: \./secrets/(\w+)", (HERE / "compose.yaml").read_text()))
    assert files and files <= set(re.findall(r"secrets/(\w+)", page))
