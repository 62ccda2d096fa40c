"""`countersign request …`: commands for requests."""

from starter.cli.operations import OperationWords
from workflows.kinds import Kind

_WORDS = OperationWords(Kind.REQUEST)
remind, delegate, extend = _WORDS.remind, _WORDS.delegate, _WORDS.extend
pause, resume, answer, cancel = _WORDS.pause, _WORDS.resume, _WORDS.answer, _WORDS.cancel
replay = _WORDS.replay
