"""Builds the image without a daemon, by buildah: `python -m deploy.image.build [--base local] [--tag NAME]`.

`--base local` makes the base from Debian packages, for a machine that reaches no registry of images; it is kept for a
month. Images, layers and that base lie in `~/.cache/countersign/images`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
IMAGE: Final = "localhost/countersign"
_CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "countersign" / "images"
_SUITE: Final = "trixie"
_PACKAGES: Final = "ca-certificates,python3,python3-venv"
_LEFT_OUT: Final = ("doc", "info", "locale", "man")
_BUILD: Final = (
    *("bud", "--isolation=chroot", "--network=host", "--layers", "--format=docker"),  # OCI's format has no HEALTHCHECK
    *("--ulimit=nofile=20000:20000", "--ulimit=nproc=20000:20000"),
)


def buildah(*arguments: str) -> str:
    """What buildah answers; `CalledProcessError` if it fails, its own words are on the terminal."""
    typed = subprocess.run([*_buildah(), *arguments], check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return typed.stdout.strip()


def build(context: Path, tag: str, base: str, version: str, revision: str) -> str:
    """Build the image of the sources in `context`; the name it got."""
    name = f"{IMAGE}:{tag}"
    arguments = {"BASE": local_base() if base == "local" else base, "VERSION": version, "REVISION": revision}
    with _secrets() as secrets:
        buildah(
            *_BUILD,
            *(argument for key, value in arguments.items() if value for argument in ("--build-arg", f"{key}={value}")),
            *(argument for secret in secrets for argument in ("--secret", f"id={secret.name},src={secret}")),
            *("--file", str(context / "deploy" / "image" / "Dockerfile")),
            *("--ignorefile", str(context / "deploy" / "image" / "Dockerfile.dockerignore")),
            *("--tag", name, str(context)),
        )
    return name


def local_base() -> str:
    """A slim Python on Debian, made from its packages unless one of this month is there; its name."""
    name = f"localhost/countersign-base:{_SUITE}-{datetime.now(UTC):%Y-%m}"
    if buildah("images", "--quiet", "--filter", f"reference={name}"):
        return name
    with tempfile.TemporaryDirectory(prefix="countersign-base-") as folder:
        archive = Path(folder) / "base.tar"
        exclusions = [f"--dpkgopt=path-exclude=/usr/share/{folder_name}/*" for folder_name in _LEFT_OUT]
        subprocess.run(  # noqa: S603  as above
            [
                *(program("mmdebstrap"), "--quiet", "--variant=minbase", f"--include={_PACKAGES}", *exclusions),
                *("--dpkgopt=path-include=/usr/share/doc/*/copyright", _SUITE, str(archive)),
            ],
            check=True,
        )
        container = buildah("from", "scratch")
        buildah("add", "--quiet", container, str(archive))
        buildah("commit", "--quiet", "--rm", container, name)
    return name


@contextmanager
def mounted(name: str) -> Iterator[Path]:
    """The files of an image, in a copy of their own."""
    container = buildah("from", "--pull-never", name)
    try:
        yield Path(buildah("mount", container))
    finally:
        buildah("rm", container)


def version_of(revision: str) -> str:
    """`1.0.0+g1234567`."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return f"{version}+g{revision[:7]}" if revision else str(version)


def revision_of(name: str = "HEAD") -> str:
    """A commit's full name; empty where git does not know it."""
    typed = subprocess.run(  # noqa: S603
        ["git", "rev-parse", name],  # noqa: S607  the developer's
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    return typed.stdout.strip() if typed.returncode == 0 else ""


def program(name: str) -> str:
    """Where it is; ends with how to have it."""
    path = shutil.which(name)
    if path is None:
        sys.exit(f"{name} is missing; Debian: apt-get install buildah netavark mmdebstrap runc")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(prog="make image", description=__doc__)
    parser.add_argument("--base", default="", help="the base's name, or `local` to make one; default: the Dockerfile's")
    parser.add_argument("--tag", default="latest", help="what the image is called; default: latest")
    options = parser.parse_args()
    revision = revision_of()
    try:
        name = build(ROOT, options.tag, options.base, version_of(revision), revision)
    except subprocess.CalledProcessError as failure:
        hint = "" if options.base else "; where no registry is reached: make image BASE=local"
        sys.exit(f"not built: {Path(failure.cmd[0]).name} ended with {failure.returncode}{hint}")
    print(f"{name} {version_of(revision)}")  # noqa: T201  the answer
    return 0


@cache
def _buildah() -> Sequence[str]:
    """Layers lie over each other where this machine mounts them so, else each is a whole copy."""
    common = (program("buildah"), f"--root={_CACHE / 'storage'}", f"--runroot={_CACHE / 'run'}")
    overlay_command = (*common, "--storage-driver=overlay")
    usable = subprocess.run([*overlay_command, "info"], capture_output=True, check=False).returncode == 0  # noqa: S603
    return overlay_command if usable else (*common, "--storage-driver=vfs")


@contextmanager
def _secrets() -> Iterator[Sequence[Path]]:
    """How this machine's pip reaches the package index, and the certificates that it trusts."""
    with tempfile.TemporaryDirectory(prefix="countersign-pip-") as name:
        folder = Path(name)
        settings = _pip_settings()
        certificates = settings.pop("cert", "")
        lines = [f"{key} = {value}" for key, value in settings.items()]
        if certificates:
            shutil.copyfile(certificates, folder / "ca.pem")
            lines.append("cert = /run/ca.pem")
        (folder / "pip.conf").write_text("\n".join(["[global]", *lines, ""]))
        yield sorted(folder.iterdir())


def _pip_settings() -> dict[str, str]:
    process = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    )
    settings_lines = (line.partition("=") for line in process.stdout.splitlines())
    pip_settings = {name.rpartition(".")[2]: value.strip("'\"") for name, _, value in settings_lines}
    return {
        name: pip_settings[name]
        for name in ("index-url", "extra-index-url", "trusted-host", "proxy", "cert")
        if pip_settings.get(name)
    }


if __name__ == "__main__":
    sys.exit(main())
