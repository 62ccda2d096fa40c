"""Packs verified by starter/examples/verify.py: sixty lines of Python."""

import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from activities.records.store import Store
from starter.cli.audit import UNCONFIRMED
from tests.activities.evidence.forgeries import FORGERIES
from tests.activities.evidence.kept import (
    CONDUCT,
    MSA,
    keep_campaign,
    keep_evidence,
    keep_signed_request,
    key_in,
    packer,
)
from tests.activities.evidence.test_pack import parts_of, written

PYTHON = (Path(__file__).parents[3] / "starter" / "examples" / "verify.py").read_text()
KEYS = "evidence.pem.pub"


@pytest.fixture
async def packs(tmp_path: Path) -> list[Path]:
    """Of a request and of a campaign."""
    with closing(Store(str(tmp_path / "kept"))) as store:
        await keep_signed_request(store)
        await keep_evidence(store)
        await keep_campaign(store)
        await packer(store, tmp_path).export(MSA, tmp_path / "pack.zip")
        await packer(store, tmp_path).export(CONDUCT, tmp_path / "conduct.zip")
    return [tmp_path / "pack.zip", tmp_path / "conduct.zip"]


def run(*arguments: str | Path, folder: Path) -> tuple[int, str]:
    process = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    return process.returncode, process.stdout + process.stderr


def python(folder: Path, pack: Path, *keys: str) -> tuple[int, str]:
    (folder / "verify.py").write_text(PYTHON)
    return run(sys.executable, "-I", "verify.py", pack, *keys, folder=folder)


def test_it_has_sixty_lines_at_most_and_needs_cryptography_alone() -> None:
    assert len(PYTHON.splitlines()) <= 60
    assert set(re.findall(r"^(?:import|from) (\w+)", PYTHON, re.MULTILINE)) <= {
        *sys.stdlib_module_names,
        "cryptography",
    }


@pytest.mark.long
async def test_sixty_lines_agree(tmp_path: Path, packs: list[Path]) -> None:
    for pack in packs:
        code, output = python(tmp_path, pack, KEYS)
        assert (code, "holds" in output) == (0, True), output
        parts = parts_of(pack)
        for name, content in parts.items():
            changed = await written(
                tmp_path / "c.zip", parts | {name: content[:-2] + bytes([content[-2] ^ 1]) + content[-1:]}
            )
            code, output = python(tmp_path, changed, KEYS)
            assert code == 1, name
    parts_without_record = {name: content for name, content in parts.items() if name != "record.json"}
    assert python(tmp_path, await written(tmp_path / "c.zip", parts_without_record), KEYS)[0] == 1
    assert python(tmp_path, await written(tmp_path / "c.zip", parts | {"x": b""}), KEYS)[0] == 1


@pytest.mark.long
async def test_sixty_lines_refuse_each_forged_layout(tmp_path: Path, packs: list[Path]) -> None:
    parts, accepted = parts_of(packs[0]), []
    for name, forge in FORGERIES.items():
        (tmp_path / "forged.zip").write_bytes(forge(parts))
        code, output = python(tmp_path, tmp_path / "forged.zip", KEYS)
        assert "Traceback" not in output
        if code != 1:
            accepted.append(name)
    assert accepted == []


@pytest.mark.long
async def test_sixty_lines_say_that_a_key_is_not_confirmed(tmp_path: Path, packs: list[Path]) -> None:
    key_in(tmp_path / "other")
    for keys in (["other/evidence.pem.pub"], []):
        code, output = python(tmp_path, packs[0], *keys)
        assert (code, output.startswith(f"{UNCONFIRMED}: {key_in(tmp_path).id}")) == (3, True)
    assert python(tmp_path, packs[0], "other/evidence.pem.pub", "evidence.pem.pub")[0] == 0
