"""The evidence pack of what was signed, verified by us and by what auditors are given: starter/examples/verify.py,
sixty lines of Python, and docs/verify.html in a browser.
"""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from activities.evidence.signing import PublicKeys
from activities.evidence.verification import verify
from deploy.demo.chromium import chromium, executable
from deploy.demo.scene import StepFailure

_ROOT: Final = Path(__file__).parents[2]
DOCS: Final = _ROOT / "docs"
_WITHIN: Final = 20.0


async def describe_verification(pack: Path, keys: Path) -> str:
    """By whom it was verified with the file of keys, by whom not and why; `StepFailure` if one refuses it."""
    verified = await asyncio.to_thread(verify, pack, PublicKeys.read(keys))
    _expect_that(
        verified.ok and verified.trusted,
        "countersign",
        "; ".join(f"{fault.part}: {fault.found}" for fault in verified.faults),
    )
    if not DOCS.is_dir():
        return "by countersign; not without us: the pages are not here"
    with TemporaryDirectory() as folder:
        reason_not_by_verifier = {
            "the sixty lines of Python": await _by_python(pack, keys, Path(folder)),
            "verify.html in Chromium": await _by_page(pack, keys),
        }
    verifiers = ", ".join(
        ["countersign", *(verifier for verifier, why_not in reason_not_by_verifier.items() if why_not is None)]
    )
    not_by = "".join(
        f"; not by {verifier}: {why_not}" for verifier, why_not in reason_not_by_verifier.items() if why_not
    )
    return f"by {verifiers}{not_by}"


async def _by_python(pack: Path, keys: Path, folder: Path) -> str | None:
    """None: it was verified."""
    (folder / "verify.py").write_bytes((_ROOT / "starter" / "examples" / "verify.py").read_bytes())
    code, output = await _run(sys.executable, "-I", "verify.py", str(pack), str(keys), folder=folder)
    _expect_that(code == 0, "the sixty lines", output)
    return None


async def _by_page(pack: Path, keys: Path) -> str | None:
    """None if it was verified, else why not."""
    if (path := executable()) is None:
        return "there is none here"
    if find_spec("playwright") is None:
        return "playwright, which drives it, is not installed"
    from playwright.async_api import Error  # noqa: PLC0415  only where this is developed

    public_keys = await asyncio.to_thread(keys.read_text)
    try:
        async with chromium(path) as browser:
            page = await (await browser.new_context(offline=True)).new_page()
            await page.goto((DOCS / "verify.html").as_uri())
            await page.get_by_label("The public keys").fill(public_keys)
            await page.get_by_label("The pack").set_input_files(pack)
            result = page.get_by_role("status").filter(
                has_text=re.compile("It holds|does not hold|cannot check|Unchanged")
            )
            await result.wait_for(timeout=_WITHIN * 1_000)
            page_text = await result.inner_text()
    except Error as error:
        return str(error).partition("\n")[0]
    if "cannot check" in page_text:
        return "it cannot check Ed25519"
    _expect_that("It holds" in page_text, "verify.html", page_text)
    return None


async def _run(*arguments: str, folder: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(*arguments, cwd=folder, stdout=PIPE, stderr=STDOUT)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _WITHIN)
    except TimeoutError:
        process.kill()
        raise StepFailure(f"an answer of {arguments[0]} within {_WITHIN:.0f} s", "none") from None
    return process.returncode or 0, output.decode(errors="replace")


def _expect_that(holds: bool, verifier: str, explanation: str) -> None:
    if not holds:
        raise StepFailure(f"a pack that holds for {verifier}", explanation.strip()[-300:])
