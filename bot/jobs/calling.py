"""Requests to connectors, counted by what came of them."""

from __future__ import annotations

from collections.abc import Mapping

from bot.metrics import Metrics
from runbooks.calls import KEPT_BYTES, Answer, Caller
from runbooks.connectors import Connector, Resolved
from runbooks.filling import Filled


class CountedCaller(Caller):
    """A caller whose requests Prometheus is told of: by the class of the answer, `5xx` and the like, or `none`."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__()
        self._metrics = metrics

    async def send(
        self,
        connector: Connector,
        resolved: Resolved,
        filled: Filled,
        *,
        timeout: float,
        headers: Mapping[str, str],
        most: int = KEPT_BYTES,
    ) -> Answer:
        answer = await super().send(connector, resolved, filled, timeout=timeout, headers=headers, most=most)
        result = f"{answer.status // 100}xx" if answer.status else "none"
        self._metrics.requests.labels(connector.name, result).inc()
        return answer
