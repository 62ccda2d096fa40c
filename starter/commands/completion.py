"""`countersign completion`: what a shell needs to complete the words of the command."""

import sys
from typing import Literal

from rich.text import Text

from starter.commands import words
from starter.commands.arguments import AsJson
from starter.commands.printing import answer
from workflows.model.base import Model


class Completion(Model):
    """The answer of `completion`."""

    shell: str
    script: str


def completion(shell: Literal["bash", "zsh", "fish"], /, *, json: AsJson = False) -> None:
    """Print the script with which a shell completes words and options.

    bash: `countersign completion bash > ~/.local/share/bash-completion/completions/countersign`; zsh: the file
    `_countersign` in a folder of `$fpath`; fish: `~/.config/fish/completions/countersign.fish`.

    Parameters
    ----------
    shell
        The shell that is to read the script.
    json
        Print `{shell, script}`.
    """
    app = words.Words(name="countersign")
    words.register(app)
    script = app.generate_completion(shell=shell)
    if json:
        answer(Completion(shell=shell, script=script), Text(), as_json=True)
    else:
        sys.stdout.write(script)
