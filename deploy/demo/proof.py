"""The evidence pack of what was signed, verified by us and by what docs/evidence.md gives to auditors: sixty lines of
Python, `openssl`, and a page in a browser.
"""

import asyncio
import re
import shutil
import sys
from asyncio.subprocess import PIPE, STDOUT
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from activities.evidence.signing import PublicKeys
from activities.evidence.verification import verify
from deploy.demo.chromium import chromium, executable
from deploy.demo.scene import NotSeen

DOCS: Final = Path(__file__).parents[2] / "docs"
_WITHIN: Final = 20.0
_TOOLS: Final = ("bash", "unzip", "sha256sum", "openssl")


async def proved(pack: Path, keys: Path) -> str:
    """By whom it was verified with the file of keys, and by whom not and why; `NotSeen` if one of them refuses it."""
    found = await asyncio.to_thread(verify, pack, PublicKeys.read(keys))
    _expect_that(
        found.ok and found.trusted, "countersign", "; ".join(f"{one.part}: {one.found}" for one in found.faults)
    )
    if not DOCS.is_dir():
        return "by countersign; not without us: the pages are not here"
    with TemporaryDirectory() as folder:
        tried = {
            "the sixty lines of Python": await _by_python(pack, keys, Path(folder)),
            "openssl": await _by_openssl(pack, keys, Path(folder)),
            "verify.html in Chromium": await _by_page(pack, keys),
        }
    done = ", ".join(["countersign", *(by for by, why_not in tried.items() if why_not is None)])
    left = "".join(f"; not by {by}: {why_not}" for by, why_not in tried.items() if why_not)
    return f"by {done}{left}"


async def _by_python(pack: Path, keys: Path, folder: Path) -> str | None:
    """None: it was verified."""
    [program, *_] = _blocks("python")
    (folder / "verify.py").write_text(program)
    code, says = await _run(sys.executable, "-I", "verify.py", str(pack), str(keys), folder=folder)
    _expect_that(code == 0, "the sixty lines", says)
    return None


async def _by_openssl(pack: Path, keys: Path, folder: Path) -> str | None:
    """None if it was verified, else why not."""
    if missing := [tool for tool in _TOOLS if shutil.which(tool) is None]:
        return f"there is no {missing[0]} here"
    _, version = await _run("openssl", "version", folder=folder)
    if not re.match(r"OpenSSL [3-9]", version):
        return f"it needs OpenSSL 3, and here is {version.strip()}"
    (folder / "pack.zip").symlink_to(pack)
    (folder / "key.pem").symlink_to(keys)
    [commands, *_] = _blocks("sh")
    code, says = await _run("bash", "-euo", "pipefail", "-c", commands, folder=folder)
    _expect_that(code == 0, "openssl and sha256sum", says)
    return None


async def _by_page(pack: Path, keys: Path) -> str | None:
    """None if it was verified, else why not."""
    if (path := executable()) is None:
        return "there is none here"
    if find_spec("playwright") is None:
        return "playwright, which drives it, is not installed"
    from playwright.async_api import Error  # noqa: PLC0415  only where this is developed

    known = await asyncio.to_thread(keys.read_text)
    try:
        async with chromium(path) as browser:
            page = await (await browser.new_context(offline=True)).new_page()
            await page.goto((DOCS / "verify.html").as_uri())
            await page.get_by_label("The public keys").fill(known)
            await page.get_by_label("The pack").set_input_files(pack)
            result = page.get_by_role("status").filter(
                has_text=re.compile("It holds|does not hold|cannot check|Unchanged")
            )
            await result.wait_for(timeout=_WITHIN * 1_000)
            says = await result.inner_text()
    except Error as error:
        return str(error).partition("\n")[0]
    if "cannot check" in says:
        return "it cannot check Ed25519"
    _expect_that("It holds" in says, "verify.html", says)
    return None


def _blocks(language: str) -> list[str]:
    """The programs of the page, in their order."""
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / "evidence.md").read_text(), re.DOTALL)


async def _run(*words: str, folder: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(*words, cwd=folder, stdout=PIPE, stderr=STDOUT)
    try:
        says, _ = await asyncio.wait_for(process.communicate(), _WITHIN)
    except TimeoutError:
        process.kill()
        raise NotSeen(f"an answer of {words[0]} within {_WITHIN:.0f} s", "none") from None
    return process.returncode or 0, says.decode(errors="replace")


def _expect_that(holds: bool, by: str, says: str) -> None:
    if not holds:
        raise NotSeen(f"a pack that holds for {by}", says.strip()[-300:])
