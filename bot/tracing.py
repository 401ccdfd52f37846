"""Traces from intake to the last delivery, for OpenTelemetry. Off, and nothing of it loaded, unless
OTEL_EXPORTER_OTLP_ENDPOINT says where they go.

A case and an event keep the trace in which they came (W3C Trace Context), so that what is done for them hours later, by
another process, is in the same trace. A span has ids, names and results of ours, never a payload or what a fault says;
spans wait in a bounded queue, and are dropped rather than waited for."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
ENDS_WITHIN = 1.5
"""Seconds in which the last spans may leave at the end."""
LONGEST = 200

_tracer: Any = None
_current: ContextVar[str | None] = ContextVar("_current", default=None)


@contextmanager
def kept(environment: Mapping[str, str]) -> Iterator[None]:
    """Traces are kept within, if the environment says where they go."""
    global _tracer
    if not environment.get(ENDPOINT):
        yield
        return
    provider = _provider(environment)
    _tracer = provider.get_tracer("pointsman")
    try:
        yield
    finally:
        _tracer = None
        ending = threading.Thread(target=provider.shutdown, daemon=True)
        ending.start()
        ending.join(ENDS_WITHIN)


def _provider(environment: Mapping[str, str]) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    limits = SpanLimits(max_span_attributes=16, max_span_attribute_length=LONGEST, max_events=0, max_links=0)
    resource = Resource.create({"service.name": environment.get("OTEL_SERVICE_NAME") or "pointsman"})
    provider = TracerProvider(resource=resource, span_limits=limits, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{environment[ENDPOINT].rstrip('/')}/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    return provider


def current() -> str | None:
    """The trace that this task works in, to be kept with what it writes."""
    return _current.get()


class Span:
    """A piece of work in a trace, as far as traces are kept."""

    def __init__(self, span: Any = None) -> None:
        self._span = span

    def set(self, **attributes: str | int | None) -> None:
        """What is known of it by now."""
        if self._span is not None:
            self._span.set_attributes(_named(attributes))


_OFF = Span()


@contextmanager
def span(name: str, *, within: str | None, server: bool = False, **attributes: str | int | None) -> Iterator[Span]:
    """A piece of work, `within` the trace that was kept or else the first of its own. An exception that passes is told
    by its type."""
    if _tracer is None:
        yield _OFF
        return
    made = _begin(name, within, server, _named(attributes))
    token = _current.set(_as_header(made))
    try:
        yield Span(made)
    except BaseException as fault:
        _fail(made, fault)
        raise
    finally:
        _current.reset(token)
        made.end()


def _begin(name: str, within: str | None, server: bool, attributes: Mapping[str, str | int]) -> Any:
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract({"traceparent": within} if within else {}, context=Context())
    kind = SpanKind.SERVER if server else SpanKind.CLIENT
    return _tracer.start_span(name, context=context, kind=kind, attributes=attributes)


def _fail(made: Any, fault: BaseException) -> None:
    from opentelemetry.trace import Status, StatusCode

    made.set_status(Status(StatusCode.ERROR))
    made.set_attributes({"error.type": type(fault).__qualname__})


def _as_header(made: Any) -> str:
    of = made.get_span_context()
    return f"00-{of.trace_id:032x}-{of.span_id:016x}-{int(of.trace_flags):02x}"


def _named(attributes: Mapping[str, str | int | None]) -> dict[str, str | int]:
    """Attributes by the names of ours, and by OpenTelemetry's where it has them."""
    return {_NAMES.get(name, f"pointsman.{name}"): value for name, value in attributes.items() if value is not None}


_NAMES = {"method": "http.request.method", "route": "http.route", "status": "http.response.status_code"}
