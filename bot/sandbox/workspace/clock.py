"""The stand-in's own clock.

Slack is another company's machine: its time is not the desk's, so it is not taken from there. Tests give
their own functions to `SlackStandIn`.
"""

import time


def wall() -> float:
    """Epoch seconds, used for message timestamps and for signing (Bolt compares with the machine's time)."""
    return time.time()  # noqa: TID251 - the one place where the stand-in reads the machine's clock


def monotonic() -> float:
    """Seconds that never go back, used for triggers, response URLs and rate limits."""
    return time.monotonic()
