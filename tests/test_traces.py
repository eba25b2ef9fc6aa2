"""Traces, as a collector gets them: real requests of OTLP over HTTP."""

from __future__ import annotations

import asyncio
import gzip
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from typer.testing import CliRunner

from beaufort.cli import app
from beaufort.config import load
from beaufort.controller import Controller
from beaufort.traces import Traces
from web_stage import CONFIG

Got = SimpleQueue[ExportTraceServiceRequest]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Got]:
    """A collector on a free port, to which the usual variable points."""
    got: Got = SimpleQueue()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            assert self.headers["content-type"] == "application/x-protobuf"
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            got.put(ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing is to be printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield got
        server.shutdown()
        thread.join()


async def test_one_span_from_a_sample_to_the_action(collector: Got) -> None:
    controller = Controller(load(CONFIG))
    async with asyncio.TaskGroup() as tasks:
        traces = Traces(controller, tasks)
        running = tasks.create_task(controller.run())
        acted = asyncio.Event()
        controller.journal.listen(lambda event: acted.set() if event.service == "rest" else None)
        await acted.wait()
        acted.clear()
        controller.push("web", 4)
        await acted.wait()
        controller.stop()
        await running
        await traces.close()
    request = collector.get(timeout=10)
    (resource,) = request.resource_spans
    assert {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"] == "beaufort"
    (span,) = resource.scope_spans[0].spans
    assert span.name == "sample to action"
    told: dict[str, Any] = {each.key: each.value for each in span.attributes}
    assert told["beaufort.service"].string_value == "web"
    assert told["beaufort.demand"].double_value == 4
    assert [each.string_value for each in told["beaufort.actions"].array_value.values] == ["rest 5 -> 2", "web 1 -> 1"]
    assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 1e9


def test_without_the_libraries_it_is_wrong_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "beaufort.traces", None)
    file = tmp_path / "beaufort.yaml"
    file.write_text("services: {web: {priority: 1, policy: {type: constant, count: 1}}}")
    result = CliRunner().invoke(app, ["run", str(file), "--no-api", "--traces"])
    assert result.exit_code == 2
    assert 'pip install "beaufort[otel]"' in result.stderr
