"""What whoever waits sees: a bar at a terminal, and nothing where a program reads."""

import io
import sys

import pytest

from starter.cli.printing import progress


class Screen(io.StringIO):
    """A terminal that keeps what it was shown."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stderr", "quiet", "sees"), [(Screen(), False, True), (Screen(), True, False), (io.StringIO(), False, False)]
)
def test_a_bar_is_for_whoever_sits_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stderr: io.StringIO, quiet: bool, sees: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    with progress("reading", quiet=quiet, total=2) as bar:
        bar(advance=1, description="half of it")
    assert ("half of it" in stderr.getvalue()) == sees
    assert capsys.readouterr().out == ""
