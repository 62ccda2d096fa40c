"""`countersign demo`: a fresh stack, one customer contract's life in two weeks of its calendar, every step checked."""

from starter.demo.report import DemoTold, StepTold, verdict
from starter.demo.telling import run

__all__ = ["DemoTold", "StepTold", "run", "verdict"]
