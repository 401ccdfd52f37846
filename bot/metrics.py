"""What Prometheus is told. Counters are of this process and begin at nought with it; what is owed and open is read from
the database, for all processes alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from store.queries.depths import Depths

disable_created_metrics()  # type: ignore[no-untyped-call]  # when each series began would be as many lines again
LATENESS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds. One that is late by more than a minute is a fault of ours."""


class Metrics:
    """The figures of one service, in a registry of its own. No label has a value that somebody outside chooses: sources
    and connectors are the policy's, methods and results are ours."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.answers = self._counter("http_answers", "Answers over HTTP.", ("method", "path", "status"))
        self.reports = self._counter("reports", "Exceptions reported, by what became of them.", ("source", "result"))
        self.events = self._counter("events", "Events received, by what became of them.", ("source", "result"))
        self.slack_calls = self._counter("slack_calls", "Calls of Slack's Web API.", ("method", "result"))
        self.requests = self._counter("connector_requests", "Requests to connectors.", ("connector", "result"))
        self.breaches = self._counter("window_breaches", "Windows that passed.", ("window",))
        self.lateness = Histogram(
            "pointsman_escalation_lateness_seconds",
            "How much later than due an escalation was carried out.",
            buckets=LATENESS,
            registry=self._registry,
        )
        self._open = self._gauge("open_cases", "Cases that are not closed.", ("priority", "state"))
        self._owed = self._gauge("owed_messages", "Messages owed and not sent.", ("kind",))
        self._depth = self._gauge("queue_depth", "What is due and not done.", ("queue",))
        self._age = self._gauge("queue_age_seconds", "For how long the first of it has been due.", ("queue",))
        self._is_read = self._gauge("database_up", "Whether the database answered when it was last asked.")

    def show(self, depths: Depths, now: datetime) -> None:
        """Puts the gauges to what the database said."""
        for gauge in (self._open, self._owed):
            gauge.clear()
        for (priority, state), count in depths.cases.items():
            self._open.labels(priority, state).set(count)
        for kind, count in depths.messages.items():
            self._owed.labels(kind).set(count)
        for queue, depth in depths.queues.items():
            self._depth.labels(queue).set(depth.count)
            age = (now - depth.since).total_seconds() if depth.since else 0.0
            self._age.labels(queue).set(max(0.0, age))
        self._is_read.set(1)

    def hide(self) -> None:
        """The database does not say: old figures would be taken for those of now."""
        for gauge in (self._open, self._owed, self._depth, self._age):
            gauge.clear()
        self._is_read.set(0)

    def text(self) -> bytes:
        """Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)

    def _counter(self, name: str, help_: str, labels: Sequence[str]) -> Counter:
        return Counter(f"pointsman_{name}", help_, labels, registry=self._registry)

    def _gauge(self, name: str, help_: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(f"pointsman_{name}", help_, labels, registry=self._registry)
