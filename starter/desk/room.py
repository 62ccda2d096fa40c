"""What every page of the desk that shows requests works with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from activities.people import FileDirectory
from starter.context import Context
from starter.desk.answers import Answers
from starter.desk.kinds import Kinds
from starter.desk.views import ReaderRoles
from starter.page.recent_looks import Look


@dataclass(frozen=True)
class RequestContext:
    """One desk's."""

    answers: Answers
    context: Context
    directory: FileDirectory
    standings: ReaderRoles
    kinds: Kinds
    look: Look
    clock: Callable[[], datetime]
