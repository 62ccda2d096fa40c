"""S3 servers of our own on loopback: two that keep to the same interface and differ in what it leaves open."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import fsspec  # type: ignore[import-untyped]

from tests.glances import glances
from tests.servers import free_ports, mortal

BUCKET: Final = "countersign"
_KEY, _SECRET = "AKIDCANARY", "canary"
_READY_WITHIN: Final = 60.0
_GLANCE: Final = 0.1
_BIN: Final = Path(sys.executable).parent


class ObjectStore:
    """One server with one bucket."""

    def __init__(self, port: int, command: Sequence[str], folder: Path) -> None:
        self._port = port
        self._command = command
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """None before the first start."""
        return self._process.pid if self._process else None

    @property
    def environment(self) -> Mapping[str, str]:
        """What leads a process here, whose store is `s3://BUCKET/…`."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._port}",
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> None:
        """Start it, again after its death too, and wait until the bucket can be written."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  a program of ours
                mortal(*self._command), stdout=log, stderr=log, cwd=self._folder
            )
        for pause in glances(_GLANCE, _READY_WITHIN):
            with suppress(Exception):  # of several libraries
                self._try()
                return
            assert self._process.poll() is None, (self._folder / "log").read_text()
            time.sleep(pause)
        raise AssertionError((self._folder / "log").read_text())

    def kill(self) -> None:
        """kill -9."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def files(self) -> fsspec.AbstractFileSystem:
        """The bucket as the administrator sees it."""
        return fsspec.filesystem(
            "s3",
            key=_KEY,
            secret=_SECRET,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            use_listings_cache=False,
            skip_instance_cache=True,
            config_kwargs={"connect_timeout": 1, "read_timeout": 5, "retries": {"total_max_attempts": 1}},
        )

    def _try(self) -> None:
        files = self.files()
        with suppress(FileExistsError):
            files.mkdir(BUCKET)
        files.pipe_file(f"{BUCKET}/tried", b"")


@contextmanager
def moto() -> Iterator[ObjectStore]:
    """moto: all of it in memory."""
    with _folder() as folder:
        [port] = free_ports(1)
        with _running(ObjectStore(port, (str(_BIN / "moto_server"), "-H127.0.0.1", f"-p{port}"), folder)) as store:
            yield store


@contextmanager
def seaweedfs() -> Iterator[ObjectStore]:
    """SeaweedFS: on disk, and as fast as one that is used."""
    with _folder() as folder:
        (folder / "data").mkdir()
        (folder / "s3.json").write_text(json.dumps({"identities": [_IDENTITY]}))
        ports = free_ports(len(_PORTS))
        command = (
            str(_BIN / "weed"),
            "server",
            *(f"-{name}={port}" for name, port in zip(_PORTS, ports, strict=True)),
            *("-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-s3.config=s3.json"),
            *("-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=20"),
            *("-master.volumeSizeLimitMB=64", "-master.volumePreallocate=false", "-master.telemetry=false"),
            *("-master.electionTimeout=1s", "-master.heartbeatInterval=50ms"),
        )
        with _running(ObjectStore(ports[0], command, folder)) as store:
            yield store


_PORTS: Final = (
    *("s3.port", "s3.port.grpc", "filer.port", "filer.port.grpc"),
    *("volume.port", "volume.port.grpc", "master.port", "master.port.grpc"),
)
_IDENTITY: Final = {
    "name": "countersign",
    "credentials": [{"accessKey": _KEY, "secretKey": _SECRET}],
    "actions": ["Admin", "Read", "Write", "List"],
}


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="countersign-objects-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def _running(store: ObjectStore) -> Iterator[ObjectStore]:
    store.start()
    try:
        yield store
    finally:
        store.kill()
