"""All that registers it; apart from the package, which the sandbox of workflows imports."""

from tests.kinds.approval import commands, pages, words

__all__ = ["commands", "pages", "words"]
