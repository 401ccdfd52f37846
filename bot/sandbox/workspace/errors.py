"""How the stand-in says no: to the app in Slack's error names, to a person in words."""

from typing import Any


class SlackError(Exception):
    """The Web API's `ok: false`.

    `error` is Slack's name for it; `extra` is merged into the answer (`needed`, `response_metadata`…).
    """

    def __init__(self, error: str, **extra: Any) -> None:
        super().__init__(error)
        self.error = error
        self.extra = extra

    @property
    def answer(self) -> dict[str, Any]:
        """The body of the answer."""
        return {"ok": False, "error": self.error, **self.extra}


class CannotDo(Exception):
    """What Slack's own client would not let a person do; the text is what it would show."""
