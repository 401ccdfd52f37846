"""The line that sums up the cases whose cards wait for a channel."""

from __future__ import annotations

from bot.slack.cards import Drawn
from bot.slack.parts import section
from bot.slack.words import date, quote
from store.serving_models import Storm


def storm_line(storm: Storm) -> Drawn:
    """How many wait, of which priority, and where all of them are; or that all are there."""
    workflow = f"*{quote(storm.workflow, 100)}*"
    waiting = sum(storm.counts.values())
    if storm.due_at is None or not waiting:
        said = f":sun_behind_cloud: {workflow}: the cards of all cases since {date(storm.since_at)} are here now."
        return Drawn(said, (section(f"{said} At most {storm.most:,} waited."),))
    ranks = ", ".join(f"{count:,} × {priority}" for priority, count in sorted(storm.counts.items()))
    many = "1 more case waits" if waiting == 1 else f"{waiting:,} more cases wait"
    since = date(storm.since_at)
    said = f":cloud_with_lightning_and_rain: {workflow}: {many} to be shown here ({ranks}), since {since}."
    more = "Each has its owner and its deadlines all the same. The most urgent come first; all of them:"
    return Drawn(said, (section(f"{said}\n{more} `/case list {quote(storm.workflow, 100)}`"),))
