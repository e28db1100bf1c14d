"""What is wrong with a filter, at which word: one line for forms, API and commands, two with a caret for terminals."""

from __future__ import annotations

WINDOW = 60  # characters of a long filter shown on either side of the caret


class FilterError(ValueError):
    """A filter that cannot be understood; `column` counts from 1 and `width` is the length of the word."""

    def __init__(self, message: str, text: str = "", column: int = 1, width: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.text = text
        self.column = column
        self.width = max(1, width)

    def __str__(self) -> str:
        return f"{self.message} (column {self.column})" if self.text else self.message

    def pointer(self) -> str:
        """The filter and, below it, a caret under the word; long filters are cut around it."""
        if not self.text:
            return self.message
        line = "".join(" " if character.isspace() else character for character in self.text)
        start = max(0, self.column - 1 - WINDOW)
        end = min(len(line), self.column - 1 + self.width + WINDOW)
        before, after = "..." if start else "", "..." if end < len(line) else ""
        caret = " " * (len(before) + self.column - 1 - start) + "^" * min(self.width, max(1, end - self.column + 1))
        return f"{before}{line[start:end]}{after}\n{caret}"

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions with several arguments do not survive pickling (Celery, multiprocessing) without this.
        return type(self), (self.message, self.text, self.column, self.width)


class FilterRefused(FilterError):
    """A correct filter that cannot be answered from what is at hand; the message says what to do instead."""

    def with_text(self, text: str) -> FilterRefused:
        """The same refusal, pointing into the text that the filter was parsed from."""
        return type(self)(self.message, text, self.column, self.width)
