"""The picture of a run: what stands in it, also where parts gave no answer."""

from typing import Any
from xml.etree import ElementTree

import pytest

from tests.rehearsal.machines import WEB, WORKERS
from tests.soak.picture import HEIGHT, WIDTH, draw

SVG = "{http://www.w3.org/2000/svg}"


def make_sample(seconds: float, worker_memory: float | None = 200, **facts: Any) -> dict[str, Any]:
    reading = {"pid": 7, "memory_mb": worker_memory, "descriptors": 40}
    return {
        "type": "sample",
        "phase": "steady",
        "seconds": seconds,
        "started": 10,
        "ended": 0,
        "open_requests": 10,
        "processes": dict.fromkeys((*WORKERS, *WEB), reading) if worker_memory is not None else {},
        "rows": {"records": 30},
        "files": None,
        "histories": None,
        **facts,
    }


def find_path(picture: str, name: str) -> str:
    for group in ElementTree.fromstring(picture).iter(f"{SVG}g"):  # noqa: S314  our own
        labels = [text.text for text in group.findall(f"{SVG}text") if text.get("class", "").startswith("line-")]
        if name in labels:
            return group.findall(f"{SVG}path")[labels.index(name)].get("d", "")
    raise AssertionError(f"{name} is not drawn")


def test_a_line_rises_to_its_measure_and_bridges_a_sample_without_answer() -> None:
    progress = [make_sample(0, 0), make_sample(50, None), make_sample(100, 200), make_sample(900, phase="drain")]
    assert find_path(draw(progress), WORKERS[0]) == f"M0.0,{HEIGHT}.0 L{WIDTH}.0,0.0"


def test_killed_parts_are_marked_and_measures_without_readings_left_out() -> None:
    kill = {"type": "note", "seconds": 50, "says": "temporal was killed, and is back after 6 s"}
    picture = draw([make_sample(0), kill, make_sample(100)])
    assert f'class="kill" x1="{WIDTH / 2}"' in picture
    with pytest.raises(AssertionError):
        find_path(picture, "files")


def test_each_line_of_a_long_run_stays_small() -> None:
    picture = draw([make_sample(10.0 * number) for number in range(5_000)])
    assert len(find_path(picture, "open").split()) <= 240


def test_a_run_without_samples_has_no_picture() -> None:
    with pytest.raises(ValueError, match="no sample"):
        draw([{"type": "note", "seconds": 1, "says": "the processes do their work"}])
