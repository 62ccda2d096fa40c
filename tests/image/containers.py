"""Processes in the image, run by runc: as its user, with no capabilities, a read-only root, this machine's network."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from deploy.image.build import IMAGE, buildah, mounted
from deploy.local.processes import Program, RunningProgram

DATA: Final = Path("/data")
"""Where the image keeps what is a machine's own."""
USER: Final = 10001
SITE: Final = "opt/countersign/lib/python*/site-packages"
_OURS: Final = ("COUNTERSIGN_", "TEMPORAL_", "OTEL_", "AWS_")
_NAMESPACES: Final = ("ipc", "mount", "pid", "uts")
_ENDS_WITHIN: Final = 60.0


@dataclass(frozen=True)
class Bind:
    """A folder or file of this machine that a container sees elsewhere; only to read unless it is its own."""

    source: Path
    target: Path
    is_writable: bool = False


@dataclass(frozen=True)
class ContainedProgram(Program):
    """A program that runs in a container."""

    pid_file: Path = field(kw_only=True)
    """Of its first process, as this machine counts."""


class RunningContainer(RunningProgram):
    """A container in the foreground: runc passes SIGTERM on, and ends as its first process does."""

    def kill(self) -> None:
        """kill -9, of all that is in it: the kernel does that once its first process is dead."""
        assert isinstance(self.program, ContainedProgram)
        with suppress(ProcessLookupError, FileNotFoundError, ValueError):
            os.kill(int(self.program.pid_file.read_text()), signal.SIGKILL)
            return
        super().kill()


@dataclass(frozen=True)
class Image:
    """An image whose files are at `root`; what is run of it has a bundle in `folder`."""

    name: str
    root: Path
    folder: Path
    _numbers: Iterator[int] = field(default_factory=count)

    @cached_property
    def described(self) -> Mapping[str, Any]:
        """What the image says of itself, in Docker's words."""
        config: Mapping[str, Any] = json.loads(buildah("inspect", "--type=image", self.name))["Docker"]["config"]
        return config

    @property
    def packages(self) -> Path:
        """Where its Python packages are, ours among them."""
        [site_packages] = self.root.glob(SITE)
        return site_packages

    @property
    def version(self) -> str:
        return str(self.described["Labels"]["org.opencontainers.image.version"])

    def make_contained(self, program: Program, arguments: Sequence[str], binds: Sequence[Bind]) -> ContainedProgram:
        """The same program in a container: the image's entry point with these words, and what is ours of its
        environment."""
        name = f"{program.name}-{next(self._numbers)}"
        bundle = self._bundle(name, [*self._entry, *arguments], program.environment, binds)
        pid_file = bundle / "pid"
        return ContainedProgram(
            name=program.name, title=program.title, ready=program.ready, address=program.address,
            grace=program.grace, ready_file=program.ready_file, environment=os.environ,
            command=(*self._runc, "run", f"--bundle={bundle}", f"--pid-file={pid_file}", name), pid_file=pid_file,
        )  # fmt: skip

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        binds: Sequence[Bind] = (),
        *,
        entry: bool = True,
    ) -> "subprocess.CompletedProcess[str]":
        """Run the image's entry point, or another program of it, to its end."""
        name = f"command-{next(self._numbers)}"
        bundle = self._bundle(name, [*(self._entry if entry else ()), *arguments], environment, binds)
        return subprocess.run(  # noqa: S603  a program of this machine
            [*self._runc, "run", f"--bundle={bundle}", name],
            capture_output=True, text=True, check=False, timeout=_ENDS_WITHIN, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def run_inside(self, program: ContainedProgram, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in a container that runs, as its user."""
        return subprocess.run(  # noqa: S603  as above
            [*self._runc, "exec", program.command[-1], *arguments],
            capture_output=True, text=True, check=False, timeout=_ENDS_WITHIN, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    @property
    def _entry(self) -> Sequence[str]:
        return tuple(self.described["Entrypoint"])

    @property
    def _runc(self) -> Sequence[str]:
        return (str(shutil.which("runc")), f"--root={self.folder / 'running'}")

    def _bundle(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str], binds: Sequence[Bind]
    ) -> Path:
        bundle = self.folder / "containers" / name
        bundle.mkdir(parents=True)
        subprocess.run([*self._runc, "spec", f"--bundle={bundle}"], check=True)  # noqa: S603  as above
        spec = json.loads((bundle / "config.json").read_text())
        own_variables = [f"{name}={text}" for name, text in environment.items() if name.startswith(_OURS)]
        user, group = map(int, self.described["User"].split(":"))
        spec["process"] |= {
            "terminal": False,
            "args": [*arguments],
            "cwd": self.described["WorkingDir"],
            "env": [*self.described["Env"], *own_variables],
            "user": {"uid": user, "gid": group},
            "noNewPrivileges": True,
            "capabilities": {},
        }
        spec["hostname"] = name
        spec["root"] = {"path": str(self.root), "readonly": True}
        spec["mounts"] = [
            *(
                mount
                for mount in spec["mounts"]
                if mount["type"] != "cgroup" and mount["destination"] not in _OF_THE_IMAGE
            ),
            _TMP,
            *(_mount(bind) for bind in (*_SYSTEM, *binds)),
        ]
        spec["linux"] |= {"namespaces": [{"type": namespace} for namespace in _NAMESPACES], "resources": {}}
        (bundle / "config.json").write_text(json.dumps(spec))
        return bundle


_TMP: Final = {
    "destination": "/tmp",  # noqa: S108  the container's own
    "type": "tmpfs",
    "source": "tmpfs",
    "options": ["nosuid", "nodev", "mode=1777"],
}
_OF_THE_IMAGE: Final = (_TMP["destination"], str(DATA))
_SYSTEM: Final = tuple(Bind(Path(path), Path(path)) for path in ("/etc/hosts", "/etc/resolv.conf"))


def _mount(bind: Bind) -> Mapping[str, Any]:
    access_mode = "rw" if bind.is_writable else "ro"
    options = ["rbind", "nosuid", "nodev", access_mode]
    return {"destination": str(bind.target), "type": "bind", "source": str(bind.source), "options": options}


@contextmanager
def at_hand(name: str = f"{IMAGE}:latest") -> Iterator[Image]:
    """An image in the store of `make image`, ready to run; what still runs of it is killed with the block."""
    with TemporaryDirectory(prefix="countersign-image-", ignore_cleanup_errors=True) as folder, mounted(name) as root:
        try:
            yield Image(name, root, Path(folder))
        finally:
            for state in Path(folder).glob("running/*/state.json"):
                with suppress(ProcessLookupError):
                    os.kill(json.loads(state.read_text())["init_process_pid"], signal.SIGKILL)


def give(folder: Path) -> None:
    """Give a folder, and what lies in it, to the user of the image."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, USER, USER)
