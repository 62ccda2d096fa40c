"""What a data folder keeps, who may have it, and what the stack's processes are told."""

import base64
import json
import socket
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from deploy.local import __main__ as local
from deploy.local import environment, folder
from deploy.local import environment as example
from deploy.local.environment import only_loopback
from deploy.local.folder import DataFolder, Ports
from deploy.local.processes import StackFailure
from starter.config import settings
from starter.config.settings import Need
from starter.web.screens.rendering import Brand
from worker import NEEDED_SETTINGS as WORKER_NEEDS

HOST = "127.0.0.1"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "example.org", "::", "fe80::1"])
def test_an_address_that_others_reach_is_refused(host: str) -> None:
    with pytest.raises(StackFailure, match="is not a loopback address"):
        only_loopback(host)


@pytest.mark.parametrize(
    ("host", "meant"), [("localhost", HOST), (HOST, HOST), ("127.0.0.2", "127.0.0.2"), ("::1", "::1")]
)
def test_every_loopback_address_will_do(host: str, meant: str) -> None:
    assert only_loopback(host) == meant


def test_a_second_start_has_the_ports_and_secrets_of_the_first(folder: Path) -> None:
    data = DataFolder(folder)
    with data.taken():
        first = data.kept(HOST)
        assert data.kept(HOST) == first


def test_a_port_that_was_taken_meanwhile_is_replaced() -> None:
    with socket.create_server((HOST, 0)) as listener:
        taken_port = listener.getsockname()[1]
        ports = Ports.free(HOST, {"sandbox": taken_port})
    assert ports.sandbox != taken_port
    assert len(set(vars(ports).values())) == len(vars(ports))


def test_one_stack_at_a_time(folder: Path) -> None:
    with (
        DataFolder(folder).taken(),
        pytest.raises(StackFailure, match="a stack already runs"),
        DataFolder(folder).taken(),
    ):
        raise AssertionError("taken twice")
    with DataFolder(folder).taken():
        assert (folder / "lock").exists()


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"ports": [1]}',
        '{"ports": {"temporal": "abc"}}',
        '{"ports": {"temporal": 70000}}',
        '{"ports": {"temporal": -1}}',
        '{"secrets": {"link": 1}}',
        "\xff",
    ],
)
def test_a_damaged_memory_is_said_instead_of_replaced(folder: Path, content: str) -> None:
    (folder_of(folder) / "kept.json").write_text(content, "latin-1")
    with pytest.raises(StackFailure, match=r"kept\.json cannot be read: delete it"):
        DataFolder(folder).kept(HOST)


def test_what_an_older_version_kept_is_completed(folder: Path) -> None:
    (folder_of(folder) / "kept.json").write_text('{"ports": {"bygone": 1}, "secrets": {"link": "old", "bygone": "x"}}')
    folder_state = DataFolder(folder).kept(HOST)
    assert folder_state.secrets.link == "old"
    secrets = vars(folder_state.secrets)
    assert [name for name, secret in secrets.items() if not secret] == ["payloads"]
    assert all(vars(folder_state.ports).values())


def test_what_was_once_encrypted_stays_so(folder: Path) -> None:
    assert "COUNTERSIGN_CODEC" not in environment.of_countersign(
        DataFolder(folder_of(folder)).kept(HOST), folder, HOST, {}
    )
    first = DataFolder(folder).kept(HOST, encrypted=True)
    assert DataFolder(folder).kept(HOST) == first
    loaded = settings.load(Need.CODEC, environment=environment.of_countersign(first, folder, HOST, {}))
    assert (loaded.codec, loaded.codec_open, len(loaded.payload_keys)) == ("on", True, 1)


def test_only_the_lock_says_that_a_stack_already_runs(folder: Path) -> None:
    with pytest.raises(BlockingIOError), DataFolder(folder).taken():
        raise BlockingIOError


def test_the_addresses_stand_there_only_while_the_stack_runs(folder: Path) -> None:
    data = DataFolder(folder)
    with data.taken():
        with data.announced({"temporal": "127.0.0.1:7233"}):
            assert json.loads(data.dev_file.read_text()) == {"temporal": "127.0.0.1:7233"}
        assert not data.dev_file.exists()


def test_the_stack_never_reaches_for_the_servers_of_the_shell() -> None:
    shell = {
        "PATH": "/bin",
        "TEMPORAL_ADDRESS": "prod.example:7233",
        "TEMPORAL_API_KEY": "k",
        "COUNTERSIGN_SIGNATURE_URL": "https://sign.example",
        "SANDBOX_LIST_LAG": "5",
    }
    base = environment.base(shell)
    assert base["PATH"] == "/bin"
    assert not [name for name in base if name.startswith(("TEMPORAL_", "COUNTERSIGN_", "SANDBOX_"))]


def test_the_shells_own_people_and_catalogue_are_respected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    folder_state = DataFolder(folder_of(folder)).kept(HOST)
    stack_settings = environment.of_countersign(folder_state, folder, HOST, {"COUNTERSIGN_PEOPLE": "mine.yaml"})
    assert stack_settings["COUNTERSIGN_PEOPLE"] == str(folder.parent / "mine.yaml")
    stack_settings = environment.of_countersign(folder_state, folder, HOST, {"COUNTERSIGN_PEOPLE": "database"})
    assert stack_settings["COUNTERSIGN_PEOPLE"] == "database"


@pytest.mark.parametrize("name", [name for name, _ in settings.named_fields() if name not in ("DATA_DIR",)])
def test_each_setting_of_the_shell_is_passed_on_or_refused_by_its_name(name: str, folder: Path) -> None:
    folder_state = DataFolder(folder_of(folder)).kept(HOST)
    shell = {f"COUNTERSIGN_{name}": "theirs"}
    if name in environment.MUST_SET:
        with pytest.raises(StackFailure) as refused:
            environment.of_countersign(folder_state, folder, HOST, shell)
        assert str(refused.value) == f"COUNTERSIGN_{name}: the stack sets this itself; unset it"
    else:
        setting_passed_on = environment.of_countersign(folder_state, folder, HOST, shell)[f"COUNTERSIGN_{name}"]
        assert setting_passed_on.endswith("theirs")


def test_people_see_the_first_page_a_logo_and_a_contact_unless_the_shell_has_its_own(folder: Path) -> None:
    folder_state = DataFolder(folder_of(folder)).kept(HOST)
    example.lay_out(folder, "http://127.0.0.1:1")
    stack_settings = environment.of_countersign(folder_state, folder, HOST, {})
    assert stack_settings["COUNTERSIGN_PREVIEW"] == "on"
    assert int(stack_settings["COUNTERSIGN_NOTICES_MOST"]) > 5, "who tries things out starts many"
    assert Brand.from_settings(
        stack_settings["COUNTERSIGN_COMPANY"],
        Path(stack_settings["COUNTERSIGN_COMPANY_LOGO"]),
        stack_settings["COUNTERSIGN_CONTACT"],
    )
    theirs = environment.of_countersign(
        folder_state, folder, HOST, {"COUNTERSIGN_COMPANY": "X", "COUNTERSIGN_PREVIEW": "off"}
    )
    assert theirs["COUNTERSIGN_PREVIEW"] == "off"
    assert not {"COUNTERSIGN_COMPANY_LOGO", "COUNTERSIGN_CONTACT"} & theirs.keys()


def test_the_stack_sets_nothing_else_of_what_the_shell_says(folder: Path) -> None:
    folder_state = DataFolder(folder_of(folder)).kept(HOST)
    stack_settings = environment.of_countersign(
        folder_state, folder, HOST, {"COUNTERSIGN_HANDOFF_HOSTS": " ", "COUNTERSIGN_ONCALL": ""}
    )
    assert stack_settings == environment.of_countersign(folder_state, folder, HOST, {})


def test_hosts_and_secrets_of_the_shell_stand_beside_those_of_the_sandbox(folder: Path) -> None:
    folder_state = DataFolder(folder_of(folder)).kept(HOST)
    secret = "whsec_" + base64.b64encode(b"x" * 32).decode()
    shell = {"COUNTERSIGN_HANDOFF_HOSTS": "127.0.0.1:9", "COUNTERSIGN_HANDOFF_SECRETS": f"crm={secret}"}
    loaded = settings.load(environment=environment.of_countersign(folder_state, folder, HOST, shell))
    assert loaded.handoff.hosts == (f"{HOST}:{folder_state.ports.sandbox}", "127.0.0.1:9")
    assert loaded.handoff.secrets.keys() == {"finance", "crm"}


def test_secrets_in_a_file_of_the_shell_stand_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    folder_state = DataFolder(folder_of(folder)).kept(HOST)
    (folder.parent / "secrets").write_text("crm=whsec_" + base64.b64encode(b"x" * 32).decode())
    stack_settings = environment.of_countersign(
        folder_state, folder, HOST, {"COUNTERSIGN_HANDOFF_SECRETS_FILE": "secrets"}
    )
    assert stack_settings["COUNTERSIGN_HANDOFF_SECRETS_FILE"] == str(folder.parent / "secrets")
    assert settings.load(environment=stack_settings).handoff.secrets.keys() == {"crm"}


def test_a_secret_file_of_what_the_stack_must_set_is_refused(folder: Path) -> None:
    folder_state = DataFolder(folder_of(folder)).kept(HOST)
    with pytest.raises(StackFailure, match=r"^COUNTERSIGN_LINK_SECRET_FILE: the stack sets this itself"):
        environment.of_countersign(folder_state, folder, HOST, {"COUNTERSIGN_LINK_SECRET_FILE": "secret"})


def test_the_demo_takes_of_the_shell_what_changes_only_its_looks() -> None:
    shell = {"PATH": "/bin", "COUNTERSIGN_COMPANY": "Acme", "COUNTERSIGN_ONCALL": "chair", "COUNTERSIGN_PEOPLE": "p"}
    assert environment.looks_of(shell) == {"PATH": "/bin", "COUNTERSIGN_COMPANY": "Acme"}


def test_what_the_stack_tells_its_processes_is_complete(folder: Path) -> None:
    folder_state = DataFolder(folder_of(folder)).kept(HOST)
    stack_settings = environment.of_countersign(folder_state, folder, HOST, {})
    loaded = settings.load(*WORKER_NEEDS, Need.RECEIVER, environment=stack_settings)
    assert loaded.handoff.hosts == (f"{HOST}:{folder_state.ports.sandbox}",)
    assert loaded.link_base == loaded.webhook.url


def test_the_examples_know_the_sandbox_and_what_was_edited_stays(folder: Path) -> None:
    example.lay_out(folder, "http://127.0.0.1:1")
    people, request = folder / "example" / "people.yaml", folder / example.REQUEST
    first = request.read_text()
    assert "http://127.0.0.1:1/_sandbox/targets/finance" in first
    people.write_text("mine")
    request.write_text(first.replace("msa-0042", "msa-0043") + "# mine, see https://erp.example/contracts\n")
    example.lay_out(folder, "http://[::1]:2")
    assert people.read_text() == "mine"
    assert request.read_text() == (
        first.replace("msa-0042", "msa-0043").replace("http://127.0.0.1:1/", "http://[::1]:2/")
        + "# mine, see https://erp.example/contracts\n"
    )


def test_receiver_and_worker_offer_their_metrics_side_by_side(folder: Path) -> None:
    folder_state = DataFolder(folder_of(folder)).kept(HOST)
    otel_settings = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": "9464"}
    ports = (folder_state.ports.receiver_metrics, folder_state.ports.worker_metrics)
    metric_ports = [environment.metrics(HOST, port, otel_settings)["OTEL_EXPORTER_PROMETHEUS_PORT"] for port in ports]
    assert metric_ports == [str(port) for port in ports]
    assert metric_ports[0] != metric_ports[1]
    assert environment.metrics("::1", 1, otel_settings)["OTEL_EXPORTER_PROMETHEUS_HOST"] == "[::1]"
    assert environment.metrics(HOST, 1, {"OTEL_METRICS_EXPORTER": "otlp"}) == {}


def test_a_stack_elsewhere_has_to_be_named_in_a_second_terminal(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.chdir(folder_of(folder))
    usual = "countersign request start .countersign/example/msa.yaml"
    assert local.start_words(folder / ".countersign") == f", from this folder or below: {usual}"
    assert local.start_words(Path("/data of ours")) == (
        ": countersign --dev '/data of ours' request start '/data of ours/example/msa.yaml'"
    )


def test_a_shell_that_would_not_find_the_command_is_told_what_to_type_first(tmp_path: Path) -> None:
    [first] = local.activation(path=str(tmp_path))
    assert f"{sys.prefix}/bin/activate" in first
    assert list(local.activation(path=f"{sys.prefix}/bin")) == []


@pytest.mark.parametrize(
    ("shell", "data"),
    [({}, ".countersign"), ({"COUNTERSIGN_DATA_DIR": " "}, ".countersign"), ({"COUNTERSIGN_DATA_DIR": "/x"}, "/x")],
)
def test_a_stack_is_started_where_a_second_terminal_looks_for_it(shell: dict[str, str], data: str) -> None:
    assert local.usual_data(shell) == Path(data)


def folder_of(path: Path) -> Path:
    """The folder, made."""
    path.mkdir()
    return path


def test_new_ports_are_none_that_an_outgoing_connection_could_be_given_before_we_listen() -> None:
    lowest_outgoing = 32_768
    free_ports = asdict(Ports.free(HOST, {})).values()
    assert len(set(free_ports)) == len(free_ports)
    assert all(port < lowest_outgoing for port in free_ports)


def test_a_port_that_somebody_is_about_to_listen_on_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_PORTS", range(20_000, 20_016))
    monkeypatch.setattr(folder, "_TRIES", 16)
    for _ in range(20):
        free_ports = asdict(Ports.free(HOST, {})).values()
        assert len(set(free_ports)) == len(free_ports)
