"""The memory of a process from Linux's /proc. Not `ru_maxrss`: it begins with what the process had that started it."""

from pathlib import Path


def resident_kb(pid: int | None) -> float:
    """Kilobytes of a process in memory now."""
    return _read(f"{pid}", "VmRSS")


def peak_mb(pid: int | None = None) -> float:
    """Megabytes in memory at most so far, of this process or another; 0 of one that has ended."""
    return _read("self" if pid is None else f"{pid}", "VmHWM") / 1024


def _read(process: str, name: str) -> float:
    lines = Path("/proc", process, "status").read_text().splitlines()
    return next((float(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0.0)
