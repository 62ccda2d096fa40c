"""`countersign doctor`: for each part, reachable and set up, or what to do."""

from starter.doctor.examination import examine
from starter.doctor.health import Examination, Health, Part

__all__ = ["Examination", "Health", "Part", "examine"]
