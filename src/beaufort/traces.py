"""Traces by OpenTelemetry: one span from a sample to the calls of the scheduler that it led to. Where they go is said by the
usual variables, such as OTEL_EXPORTER_OTLP_ENDPOINT; what can't be sent is dropped.
"""

from __future__ import annotations

import asyncio
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from beaufort import clock
from beaufort.controller import Controller
from beaufort.journal import Step
from beaufort.model import Decision

__all__ = ["Traces"]

NAMED = 32
"""Actions that one span names at most."""


class Traces:
    """Follows a controller. Spans are sent by a thread of their own, and nothing waits for them."""

    def __init__(self, controller: Controller, _: asyncio.TaskGroup) -> None:
        about = {SERVICE_NAME: "beaufort", SERVICE_VERSION: version("beaufort")}
        self._provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("beaufort")
        controller.journal.follow(self._stepped)

    def _stepped(self, step: Step, _: Decision) -> None:
        if step.actions and step.given.samples:
            # The step is still going on, and what it decided is to be acted on first.
            asyncio.get_running_loop().call_soon(self._tell, step)

    def _tell(self, step: Step) -> None:
        """One span for each sample that changed what its service is granted, from its time until now."""
        now, actions = clock.now(), step.actions[:NAMED]
        for name, samples in step.given.samples.items():
            if name not in step.granted:
                continue
            span = self._tracer.start_span(
                "sample to action",
                kind=SpanKind.INTERNAL,
                start_time=_nanoseconds(samples[-1].at),
                attributes={
                    "beaufort.service": name,
                    "beaufort.demand": float(samples[-1].value),
                    "beaufort.granted": step.granted[name],
                    "beaufort.actions": [f"{each.service} {each.current} -> {each.target}" for each in actions],
                    "beaufort.reasons": [each.reason for each in actions],
                },
            )
            span.end(_nanoseconds(now))

    async def close(self) -> None:
        """Send what is left."""
        await asyncio.to_thread(self._provider.shutdown)


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
