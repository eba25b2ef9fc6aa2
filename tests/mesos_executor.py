#!/usr/bin/python3 -SIE
"""Stands in for Mesos's command executor: runs one task's command and reports over the v1 executor API.

As the real one it outlives its agent and subscribes again, repeats what the agent has not acknowledged, says that it is
killing where the framework wants to know, keeps to the task's grace, and makes health checks by command, HTTP and TCP.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

RETRY = 0.1
RECOVERY = 60.0
"""Seconds without an agent between two attempts, and after which the task is given up."""

Json = dict[str, Any]


class Agent:
    """The way to the agent. What it has not acknowledged is kept, to be told again."""

    def __init__(self) -> None:
        self.unacknowledged: dict[str, Json] = {}
        self.acknowledged = threading.Condition()
        self._path = f"/{os.environ['MESOS_SLAVE_PID'].split('@')[0]}/api/v1/executor"
        self._ids = {
            "framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]},
            "executor_id": {"value": os.environ["MESOS_EXECUTOR_ID"]},
        }

    def events(self, tasks: list[Json]) -> Iterator[Json]:
        """Until the agent is lost, or longer than it may be."""
        while True:
            with suppress(OSError, http.client.HTTPException):
                yield from self._subscribed(tasks)
            if os.environ.get("MESOS_CHECKPOINT") != "1" or not self._returns():
                return

    def _returns(self) -> bool:
        until = time.monotonic() + RECOVERY
        while time.monotonic() < until:
            time.sleep(RETRY)
            with suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection(os.environ["MESOS_AGENT_ENDPOINT"])
                connection.request("GET", f"{self._path.removesuffix('/api/v1/executor')}/health")
                if connection.getresponse().status == 200:
                    return True
        return False

    def _subscribed(self, tasks: list[Json]) -> Iterator[Json]:
        updates = [{"status": status} for status in self.unacknowledged.values()]
        told = {"unacknowledged_tasks": tasks, "unacknowledged_updates": updates}
        response = self._post({"type": "SUBSCRIBE", "subscribe": told})
        if response.status != 200:
            return
        while size := response.readline():
            event = json.loads(response.read(int(size)))
            if event["type"] == "ACKNOWLEDGED":
                with self.acknowledged:
                    self.unacknowledged.pop(event["acknowledged"]["uuid"], None)
                    self.acknowledged.notify_all()
            yield event

    def update(self, task: Json, state: str, **more: Any) -> None:
        id_ = base64.b64encode(uuid.uuid4().bytes).decode()
        status = {"task_id": task["task_id"], "state": state, "source": "SOURCE_EXECUTOR", "uuid": id_, **more}
        self.unacknowledged[id_] = status = {**status, "timestamp": time.time()}
        with suppress(OSError, http.client.HTTPException):  # the next subscription tells it again
            self._post({"type": "UPDATE", "update": {"status": status}}).read()

    def _post(self, message: Json) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(os.environ["MESOS_AGENT_ENDPOINT"])
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        connection.request("POST", self._path, json.dumps({**self._ids, **message}), headers)
        return connection.getresponse()


class Executor:
    def __init__(self) -> None:
        self._agent = Agent()
        self._task: Json | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._killed: Json | None = None
        self._tells_killing = False

    def run(self) -> None:
        tasks: list[Json] = []
        for event in self._agent.events(tasks):
            if event["type"] == "SUBSCRIBED":
                capabilities = event["subscribed"]["framework_info"].get("capabilities", [])
                self._tells_killing = {"type": "TASK_KILLING_STATE"} in capabilities
            elif event["type"] == "LAUNCH":
                self._launch(event["launch"]["task"])
                tasks.append(event["launch"]["task"])
            elif event["type"] == "ACKNOWLEDGED":
                tasks.clear()
            elif event["type"] in {"KILL", "SHUTDOWN"}:
                self._kill(event.get("kill", {}).get("kill_policy"))
        if self._child is not None:
            os.killpg(self._child.pid, signal.SIGKILL)

    def _launch(self, task: Json) -> None:
        command = task["command"]
        variables = command.get("environment", {}).get("variables", [])
        environment = dict(os.environ, **{each["name"]: each.get("value", "") for each in variables})
        argv = [command["value"], *command.get("arguments", [])[1:]]
        argv = ["/bin/sh", "-c", command["value"]] if command.get("shell", True) else argv
        self._task = task
        try:
            self._child = subprocess.Popen(argv, env=environment, start_new_session=True)
        except OSError as error:
            self._agent.update(task, "TASK_FAILED", message=f"Command could not be run: {error}")
            self._leave()
            return
        check = task.get("health_check")
        self._agent.update(task, "TASK_RUNNING", **({"healthy": False} if check else {}))
        threading.Thread(target=self._reap, args=(task, self._child), daemon=True).start()
        if check:
            threading.Thread(target=self._check, args=(task, check), daemon=True).start()

    def _reap(self, task: Json, child: subprocess.Popen[bytes]) -> None:
        code = child.wait()
        how = f"exited with status {code}" if code >= 0 else f"terminated with signal {signal.strsignal(-code)}"
        state = "TASK_FINISHED" if code == 0 else "TASK_FAILED"
        if self._killed is not None:
            state = "TASK_KILLED"
        self._agent.update(task, state, message=f"Command {how}", **(self._killed or {}))
        self._leave()

    def _leave(self) -> None:
        with self._agent.acknowledged:
            self._agent.acknowledged.wait_for(lambda: not self._agent.unacknowledged)
        os._exit(0)

    def _kill(self, policy: Json | None, **why: bool) -> None:
        if self._task is None or self._child is None:
            sys.exit()
        if self._killed is not None:
            return
        self._killed = why
        if self._tells_killing:
            self._agent.update(self._task, "TASK_KILLING", **why)
        grace = (policy or self._task.get("kill_policy", {})).get("grace_period", {}).get("nanoseconds", 3e9) / 1e9
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGTERM)
        timer = threading.Timer(grace, self._end, [self._child.pid])
        timer.daemon = True
        timer.start()

    def _end(self, group: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)

    def _check(self, task: Json, check: Json) -> None:
        begun, failures, healthy, ever = time.monotonic(), 0, False, False
        time.sleep(check.get("delay_seconds", 15))
        while self._killed is None:
            passed = self._passes(check)
            ever = ever or passed
            failures = 0 if passed else failures + 1
            in_grace = not ever and time.monotonic() - begun < check.get("grace_period_seconds", 10)
            if passed != healthy and not (in_grace and not passed):
                healthy = passed
                self._agent.update(task, "TASK_RUNNING", healthy=healthy)
            if failures >= check.get("consecutive_failures", 3) and not in_grace:
                self._kill(None, healthy=False)
                return
            time.sleep(check.get("interval_seconds", 10))

    def _passes(self, check: Json) -> bool:
        within = check.get("timeout_seconds", 20)
        with suppress(subprocess.TimeoutExpired, OSError, http.client.HTTPException):
            if check["type"] == "HTTP":
                connection = http.client.HTTPConnection("127.0.0.1", check["http"]["port"], timeout=within)
                connection.request("GET", check["http"].get("path", "/"))
                return 200 <= connection.getresponse().status < 400
            if check["type"] == "TCP":
                socket.create_connection(("127.0.0.1", check["tcp"]["port"]), within).close()
                return True
            argv = ["/bin/sh", "-c", check["command"]["value"]]
            return subprocess.run(argv, check=False, timeout=within).returncode == 0
        return False


if __name__ == "__main__":
    Executor().run()
