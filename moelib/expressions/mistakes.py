"""Mistakes in a user's expression, and where they are."""

from __future__ import annotations


class ExpressionError(ValueError):
    """What is wrong with an expression: one sentence, the text, and a caret under the place.

    message : the sentence without the place. position : column, from 0. text : the whole expression.
    """

    def __init__(self, message: str, position: int, text: str = "") -> None:
        super().__init__(message, position, text)
        self.message, self.position, self.text = message, position, text

    def __str__(self) -> str:
        # the text is cut a little behind the caret; what does not print would move the caret
        shown = "".join(c if c.isprintable() else " " for c in self.text[: max(self.position + 1, 300)])
        return f"{self.message} at character {self.position + 1}\n{shown}\n{' ' * self.position}^"
