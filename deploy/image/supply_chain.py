"""What the image is made of and under which licences, and whether the sources hold secrets: `make supply-chain`.

Reads the image of `make image`; writes `dist/sbom.json` (CycloneDX; the Python packages, not the base's).
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.image.build import IMAGE, ROOT, mounted, program

SBOM: Final = ROOT / "dist" / "sbom.json"
ALLOWED: Final = (
    *("3-Clause BSD", "Apache", "BSD", "CNRI-Python", "ISC", "MIT", "PSF-2.0", "Python Software Foundation"),
    *("The Unlicense", "Unlicense", "Zlib"),
)
"""Beginnings of licences that ask for no more than to be named."""
ALSO: Final[Mapping[str, str]] = {
    "certifi": "MPL-2.0: a file of certificates, unchanged",
    "psycopg": "LGPL-3.0: a library, unchanged and replaceable",
    "psycopg-binary": "LGPL-3.0: as psycopg",
}
"""Packages under other licences, and why they may be shipped."""
_PACKAGES: Final = "opt/countersign/lib/python*/site-packages"
_BIN: Final = Path(sys.executable).parent


def main() -> int:
    """0 if nothing was found."""
    faults = [*_of_dockerfile(), *_of_packages(), *_of_secrets()]
    for line in faults:
        print(line, file=sys.stderr)  # noqa: T201  the answer
    if not faults:
        print(f"{SBOM.relative_to(ROOT)}: {len(json.loads(SBOM.read_text())['components'])} packages")  # noqa: T201
    return int(bool(faults))


def fits(licence: str) -> bool:
    """Whether each part of a licence, or one of its choices, is allowed."""
    choices = licence.replace(" OR ", ";").split(";")
    return any(all(part.strip(" ()").startswith(ALLOWED) for part in choice.split(" AND ")) for choice in choices)


def _of_dockerfile() -> Iterator[str]:
    yield from _failed([str(_BIN / "hadolint"), "deploy/image/Dockerfile"])


def _of_packages() -> Iterator[str]:
    with _interpreter() as python:
        SBOM.parent.mkdir(exist_ok=True)
        arguments = (
            "environment",
            "--output-reproducible",
            "--pyproject=pyproject.toml",
            f"--output-file={SBOM}",
            python,
        )
        yield from _failed([str(_BIN / "cyclonedx-py"), *arguments])
        process = subprocess.run(  # noqa: S603  a program of the lock
            [str(_BIN / "pip-licenses"), "--format=json", f"--python={python}"],
            check=True, capture_output=True, text=True, cwd=ROOT,
        )  # fmt: skip
    for package in json.loads(process.stdout):
        if package["Name"] not in ALSO and not fits(package["License"]):
            yield f"{package['Name']}: {package['License']} is not among the licences of {Path(__file__).name}"


def _of_secrets() -> Iterator[str]:
    arguments = ("detect", "--no-banner", "--redact", "--config=.ci/gitleaks.toml", "--source=.")
    yield from _failed([program("gitleaks"), *arguments])


def _failed(command: Sequence[str]) -> Iterator[str]:
    process = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603  as above
    if process.returncode:
        yield f"{Path(command[0]).name}: {process.stdout}{process.stderr}"


@contextmanager
def _interpreter() -> Iterator[str]:
    """A Python that finds the image's packages alone, for tools that ask one where its packages are."""
    with mounted(f"{IMAGE}:latest") as root, tempfile.TemporaryDirectory(prefix="countersign-sbom-") as folder:
        [packages] = root.glob(_PACKAGES)
        script, base = Path(folder) / "python", os.path.realpath(sys.executable)
        script.write_text(f'#!/bin/sh\nPYTHONPATH="{packages}" exec "{base}" -S "$@"\n')
        script.chmod(0o700)
        yield str(script)


if __name__ == "__main__":
    sys.exit(main())
