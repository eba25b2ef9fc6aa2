"""What a Mesos master says of the nodes of a stand-in's memory: the one answer that the driver asks it for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from marathon_memory import Memory, Node

__all__ = ["mastered"]


@asynccontextmanager
async def mastered(memory: Memory) -> AsyncIterator[str]:
    """The address of a master of these nodes."""

    async def answer(request: web.Request) -> web.Response:
        assert await request.json() == {"type": "GET_STATE"}
        agents = [_agent(node, memory) for node in memory.nodes.values()]
        tasks = [
            {
                "task_id": {"value": task.id},
                "agent_id": {"value": task.node.agent_id},
                "resources": _amounts(task.app.spec),
            }
            for task in memory.tasks()
        ]
        return web.json_response({"get_state": {"get_agents": {"agents": agents}, "get_tasks": {"tasks": tasks}}})

    app = web.Application()
    app.add_routes([web.post("/master/api/v1", answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _agent(node: Node, memory: Memory) -> dict[str, Any]:
    there = [_amounts(task.app.spec) for task in memory.tasks() if task.node is node]
    used = [
        {**first, "scalar": {"value": sum(each[at]["scalar"]["value"] for each in there)}}
        for at, first in enumerate(_none())
    ]
    return {
        "agent_info": {"hostname": node.name, "id": {"value": node.agent_id}},
        "active": True,
        "total_resources": _scalars(node.cpus, node.mem),
        "allocated_resources": used,
    }


def _none() -> list[dict[str, Any]]:
    return _scalars(0, 0)


def _amounts(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    return _scalars(spec["cpus"], spec["mem"])


def _scalars(cpus: float, mem: float) -> list[dict[str, Any]]:
    return [
        {"name": name, "type": "SCALAR", "scalar": {"value": value}} for name, value in (("cpus", cpus), ("mem", mem))
    ]
