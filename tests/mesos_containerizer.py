#!/usr/bin/python3 -SIE
"""Stands in for Mesos's container launch helper: waits for the agent's word, then becomes the command."""

from __future__ import annotations

import json
import os
import sys

PREFIX = "MESOS_CONTAINERIZER_"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def main() -> None:
    flags = {key.removeprefix(PREFIX).lower(): value for key, value in os.environ.items() if key.startswith(PREFIX)}
    info = json.loads(flags["launch_info"])
    if "pipe_read" in flags:
        os.close(int(flags["pipe_write"]))
        if os.read(int(flags["pipe_read"]), 1) == b"":
            sys.exit("the agent went away before the launch")
        os.close(int(flags["pipe_read"]))
    command = info["command"]
    environment = {"PATH": PATH}
    for source in (info.get("environment"), command.get("environment")):
        environment |= {each["name"]: each.get("value", "") for each in (source or {}).get("variables", [])}
    if "working_directory" in info:
        os.chdir(info["working_directory"])
    if command.get("shell", True):
        os.execve("/bin/sh", ["sh", "-c", command["value"]], environment)
    os.execve(command["value"], command.get("arguments") or [command["value"]], environment)


if __name__ == "__main__":
    main()
