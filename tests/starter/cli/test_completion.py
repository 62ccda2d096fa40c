"""Words and options are completed in the shells themselves; a shell that is not on this machine is skipped by name."""

import os
import pty
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

import pytest

from starter.cli.completion import Shell, script_of

_PATIENCE_SECONDS: Final = 20.0
_COMPLETE_IN_BASH: Final = """
source "$1"
COMP_WORDS=($2) COMP_CWORD=$(( $(wc -w <<< "$2") - 1 ))
_countersign countersign "${COMP_WORDS[$COMP_CWORD]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(shell: Shell, path: Path) -> Path:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this machine: apt-get install {shell}")
    path.write_text(script_of(shell), "utf-8")
    return path


def read_output_lines(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split("\n")  # noqa: S603


@pytest.mark.long
def test_bash_completes_words_and_options(tmp_path: Path) -> None:
    bash = ("bash", "--norc", "-c", _COMPLETE_IN_BASH, "bash", str(script("bash", tmp_path / "countersign")))
    assert set(read_output_lines(*bash, "countersign request re")) >= {"remind", "resume"}
    assert "--template" in read_output_lines(*bash, "countersign request start --t")


def test_fish_completes_words_and_options(tmp_path: Path) -> None:
    source = f"source {script('fish', tmp_path / 'countersign.fish')}"
    completions = read_output_lines("fish", "--no-config", "-c", f'{source}; complete -C "countersign request re"')
    assert {line.partition("\t")[0] for line in completions} >= {"remind", "resume"}
    options = read_output_lines("fish", "--no-config", "-c", f'{source}; complete -C "countersign request start --t"')
    assert "--template" in [line.partition("\t")[0] for line in options]


def test_zsh_completes_words_and_options_from_the_file_that_help_names(tmp_path: Path) -> None:
    folder = script("zsh", tmp_path / "_cyclopts_countersign").parent
    screen, keyboard = pty.openpty()
    plain = {**os.environ, "TERM": "dumb", "COLUMNS": "200"}
    command = [str(shutil.which("zsh")), "-f", "-i"]
    shell = subprocess.Popen(  # noqa: S603  a terminal of its own
        command, stdin=keyboard, stdout=keyboard, stderr=keyboard, env=plain, start_new_session=True
    )
    os.close(keyboard)
    try:
        os.write(screen, f"fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D; echo rea''dy\n".encode())
        assert wait_for_text(screen, "ready\r\n")
        os.write(screen, b"countersign request exte\t")
        assert wait_for_text(screen, "extend ")
        os.write(screen, b"\x15countersign request start --templ\t")
        assert wait_for_text(screen, "--template")
    finally:
        os.close(screen)
        shell.kill()
        shell.wait()


def wait_for_text(screen: int, expected: str) -> bool:
    """Whether the words come to stand on the screen."""
    ends, text = time.monotonic() + _PATIENCE_SECONDS, b""
    while expected.encode() not in text:
        ready, _, _ = select.select([screen], [], [], max(0.0, ends - time.monotonic()))
        if not ready:
            return False
        text += os.read(screen, 65_536)
    return True
