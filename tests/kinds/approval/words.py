"""What its notifications say."""

import tomllib
from pathlib import Path

from activities.notifications.words import TEXTS, KindTexts
from tests.kinds.approval.kind import APPROVAL

TEXTS[APPROVAL] = KindTexts.read(tomllib.loads(Path(__file__).with_suffix(".toml").read_text()))
