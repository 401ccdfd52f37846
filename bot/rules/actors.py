"""Who causes what happens: a person in Slack, a source over HTTP, somebody at the command line, a timer, or the product
itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What an actor is."""

    PERSON = "person"
    SOURCE = "source"
    OPERATOR = "operator"
    TIMER = "timer"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `is_ours` says that a person is a full member of this workspace: no guest, no bot, nobody
    from another workspace; `is_unknown`, that this cannot be said yet."""

    kind: Kind
    id: str
    is_ours: bool = True
    why_not_ours: str = ""
    is_unknown: bool = False

    def on_record(self) -> dict[str, Any]:
        """How the audit log names the actor."""
        return {"kind": self.kind.value, "id": self.id}


SYSTEM = Actor(Kind.SYSTEM, "pointsman")
TIMER = Actor(Kind.TIMER, "timer")


def person(user: str) -> Actor:
    """A full member of the workspace, by Slack id."""
    return Actor(Kind.PERSON, user)


def source(name: str) -> Actor:
    """A system that reports over HTTP, by its name in connectors.yml."""
    return Actor(Kind.SOURCE, name)


def operator(account: str) -> Actor:
    """Somebody at the command line of the server, by the name of their account there."""
    return Actor(Kind.OPERATOR, account)
