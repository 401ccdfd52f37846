"""What is refused is told to whoever asked, in words that help. It is not a fault."""

from __future__ import annotations


class Refused(Exception):
    """The command was understood and not carried out. `code` is stable, for machines; `text` is for people.
    With a `case_id` it goes on that case's record, else on the desk's."""

    def __init__(self, code: str, text: str, *, case_id: int | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.case_id = case_id
