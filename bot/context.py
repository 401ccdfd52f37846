"""What every edge is given: the desk, the clock and the environment."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.clock import Clock
from bot.desk.desk import Desk
from bot.desk.policies import Policies
from bot.metrics import Metrics
from bot.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """Built once, in `bot/main.py`."""

    desk: Desk
    clock: Clock
    policies: Policies
    settings: Settings
    metrics: Metrics = field(default_factory=Metrics)
