"""An archive over SFTP, on Debian's OpenSSH server: with the keys of the worker's user, at a host that it knows."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.documents.files import SIGNED
from activities.hand_off.archive import Archives
from activities.records.evidence import SignedDocument, SignedFile
from activities.records.store import Store
from tests.activities.notifications.stage import brief
from tests.glances import glances
from tests.servers import free_ports, mortal
from workflows.model.hand_off import HandoffResult, Settled
from workflows.model.policy import ArchiveTarget, Target
from workflows.model.subject import Status

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
MISSING = (
    "There is no OpenSSH server here, or no root to run it. To test archives over SFTP, install it "
    "(Debian: apt-get install openssh-server)"
)
AT = datetime(2026, 12, 4, 9, 30, tzinfo=UTC)
MSA = brief().subject
SETTLED = Settled(request=MSA.id, external_id=MSA.id, kind="customer-contract", outcome=Status.SIGNED, at=AT)
PDF = b"%PDF-1.7 " + bytes(range(256)) * 4_000
pytestmark = pytest.mark.long


@dataclass
class Server:
    """An OpenSSH server on loopback, and the home of whoever writes to it."""

    port: int
    home: Path
    folder: Path

    @property
    def url(self) -> str:
        return f"sftp://{getpass.getuser()}@127.0.0.1:{self.port}{self.folder}"

    def is_known(self) -> None:
        key = (self.home / "host.pub").read_text()
        (self.home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {key}")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    if SSHD is None or os.getuid() != 0:
        if os.environ.get("REQUIRE_SSHD") == "1":
            pytest.fail(f"REQUIRE_SSHD=1. {MISSING}", pytrace=False)
        pytest.skip(MISSING)
    home, folder = tmp_path / "home", tmp_path / "archive"
    (home / ".ssh").mkdir(parents=True)
    folder.mkdir()
    for name in ("host", ".ssh/id_ed25519"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / name], check=True)  # noqa: S603, S607
    (home / ".ssh" / "authorized_keys").write_text((home / ".ssh" / "id_ed25519.pub").read_text())
    monkeypatch.setenv("HOME", str(home))
    [port] = free_ports(1)
    settings = f"""
        Port {port}
        ListenAddress 127.0.0.1
        HostKey {home / "host"}
        PidFile none
        UsePAM no
        AuthorizedKeysFile {home / ".ssh" / "authorized_keys"}
        StrictModes no
        PermitRootLogin yes
        PasswordAuthentication no
        Subsystem sftp internal-sftp
    """
    (home / "sshd_config").write_text(settings)
    Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen(  # noqa: S603  a program of this machine
        mortal(str(SSHD), "-D", "-f", str(home / "sshd_config"))
    )
    try:
        _until_it_answers(port)
        yield Server(port, home, folder)
    finally:
        process.kill()
        process.wait()


def _until_it_answers(port: int) -> None:
    for pause in glances(within=30):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(pause)
        else:
            return
    raise AssertionError("no OpenSSH server")


async def archived(store: Store, url: str) -> HandoffResult:
    where = ArchiveTarget(url=url, path="{kind}/{id}.pdf")
    return await Archives(store, [url]).write(Target(target="archive", archive=where), where, MSA, SETTLED)


async def test_the_document_is_written_once_and_only_to_a_host_that_is_known(server: Server, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    sha256 = await store.files.put(PDF, SIGNED)
    await store.evidence.keep_signed(MSA.workflow_id, SignedDocument(document=SignedFile(sha256, len(PDF))), AT)
    unknown = await archived(store, server.url)
    assert (unknown.ok, unknown.gone, unknown.why) == (False, False, "SSHException")
    assert not list(server.folder.iterdir())
    server.is_known()
    for _ in range(2):
        assert await archived(store, server.url) == HandoffResult(target="archive", ok=True)
    [folder] = server.folder.iterdir()
    assert [one.name for one in folder.iterdir()] == [f"{MSA.id}.pdf"]
    assert (folder / f"{MSA.id}.pdf").read_bytes() == PDF
    (server.home / ".ssh" / "known_hosts").write_text("")
    assert not (await archived(store, server.url)).ok
    store.close()
