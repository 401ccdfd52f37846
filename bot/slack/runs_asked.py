"""Messages that ask something about a run: a question of a step, a yes, or what a runbook in shadow proposes; and what
became of what a message asked. Pure.

As long as it is open each has its buttons; afterwards it says who decided what, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.desk.runs.asked import ASKING, Asked
from bot.rules.saying import What
from bot.slack.parts import Block, actions, button, context
from bot.slack.runs import APPROVE, DO_IT, NOT_THIS, REFUSE, Pressed
from bot.slack.values import drawn_at
from bot.slack.words import Names, date, quote
from store.models import Case

YES = "run.yes"
NO = "run.no"
BUTTONS: Mapping[str, tuple[tuple[str, str, str | None], ...]] = {
    What.RUN_ASKS: (("Yes", YES, "primary"), ("No", NO, None)),
    What.RUN_APPROVAL_ASKED: (("Approve", APPROVE, "primary"), ("Refuse…", REFUSE, None)),
    What.RUN_PROPOSED: (("Do it", DO_IT, "primary"), ("Not this…", NOT_THIS, None)),
}
DECIDED = {
    "yes": "said yes",
    "no": "said no",
    "overridden": "closed it in spite of its checks",
    "again": "resolved it once more",
}


def asks(payload: Mapping[str, Any]) -> bool:
    """Whether the message asks something about a run."""
    return payload.get("what") in ASKING


def asked_blocks(case: Case, payload: Mapping[str, Any], asked: Asked | None, names: Names) -> list[Block]:
    """The buttons of what is asked about a run; or of anything that was asked, who decided what."""
    if asked is None:
        return []
    if not asked.is_open:
        return [context(_decided(asked, names))]
    if payload.get("what") not in BUTTONS:
        return []
    run, step = int(payload.get("run") or 0), int(payload.get("step") or 0)
    value = Pressed(case.ref, run=run, step=step, drawn=drawn_at(case.opened_at)).kept()
    row = [button(text, action, value, style=style) for text, action, style in BUTTONS[str(payload["what"])]]
    return [actions(row, block_id=f"asked:{case.ref}:{run}:{step}")]


def _decided(asked: Asked, names: Names) -> str:
    at = f"{date(asked.at)}: " if asked.at else ""
    because = f": {quote(asked.because, 300)}" if asked.because and asked.answer != "yes" else ""
    if not asked.by:
        return f"{at}This is over{because}."
    return f"{at}{names.person(asked.by)} {DECIDED[asked.answer]}{because}."
