"""What a data folder keeps, who may have it, and what the stack's processes are told."""

import json
import socket
from pathlib import Path

import pytest

from deploy import example, surroundings
from deploy.folder import DataFolder, Ports
from deploy.loopback import only_loopback
from deploy.processes import StackFailure
from starter import settings
from starter.needs import Need
from worker import NEEDS as WORKER_NEEDS

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
    with socket.create_server((HOST, 0)) as other:
        taken = other.getsockname()[1]
        ports = Ports.free(HOST, {"sandbox": taken})
    assert ports.sandbox != taken
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


def test_a_damaged_memory_is_said_instead_of_replaced(folder: Path) -> None:
    folder.mkdir()
    (folder / "kept.json").write_text("{")
    with pytest.raises(StackFailure, match=r"kept\.json cannot be read: delete it"):
        DataFolder(folder).kept(HOST)


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
    base = surroundings.base(shell)
    assert base["PATH"] == "/bin"
    assert not [name for name in base if name.startswith(("TEMPORAL_", "COUNTERSIGN_", "SANDBOX_"))]


def test_the_shells_own_people_and_catalogue_are_respected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    kept = DataFolder(folder_of(folder)).kept(HOST)
    ours = surroundings.of_countersign(kept, folder, HOST, {"COUNTERSIGN_PEOPLE": "mine.yaml"})
    assert ours["COUNTERSIGN_PEOPLE"] == str(folder.parent / "mine.yaml")


def test_what_the_stack_tells_its_processes_is_complete(folder: Path) -> None:
    kept = DataFolder(folder_of(folder)).kept(HOST)
    told = surroundings.of_countersign(kept, folder, HOST, {})
    chosen = settings.load(*WORKER_NEEDS, Need.RECEIVER, environment=told)
    assert chosen.handoff.hosts == (f"{HOST}:{kept.ports.sandbox}",)
    assert chosen.link_base == chosen.webhook.url


def test_the_examples_know_the_sandbox_and_an_edited_people_file_stays(folder: Path) -> None:
    example.lay_out(folder, "http://127.0.0.1:1")
    assert "http://127.0.0.1:1/_sandbox/targets/finance" in (folder / "msa.yaml").read_text()
    (folder / "people.yaml").write_text("mine")
    example.lay_out(folder, "http://127.0.0.1:2")
    assert (folder / "people.yaml").read_text() == "mine"
    assert "http://127.0.0.1:2/" in (folder / "msa.yaml").read_text()


def folder_of(path: Path) -> Path:
    """The folder, made."""
    path.mkdir()
    return path
