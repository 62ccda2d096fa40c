"""`countersign completion`: shell completion scripts."""

import sys
from typing import Literal, TypeAlias

from rich.text import Text

from starter.cli import app as words
from starter.cli.arguments import AsJson
from starter.cli.printing import print_answer
from workflows.model.base import Model

Shell: TypeAlias = Literal["bash", "zsh", "fish"]


class Completion(Model):
    """The answer of `completion`."""

    shell: str
    script: str


def script_of(shell: Shell) -> str:
    """The shell's script, with every command and option."""
    named = words.LazyApp(name="countersign")
    words.register(named)
    return named.generate_completion(shell=shell)


def completion(shell: Shell, /, *, json: AsJson = False) -> None:
    """Print the script with which a shell completes words and options.

    bash: `countersign completion bash > ~/.local/share/bash-completion/completions/countersign`; zsh: a file named
    `_cyclopts_countersign` and not otherwise, in a folder of `$fpath`; fish:
    `~/.config/fish/completions/countersign.fish`.

    Parameters
    ----------
    shell
        The shell that is to read the script.
    json
        Print `{shell, script}`.
    """
    script = script_of(shell)
    if json:
        print_answer(Completion(shell=shell, script=script), Text(), as_json=True)
    else:
        sys.stdout.write(script)
