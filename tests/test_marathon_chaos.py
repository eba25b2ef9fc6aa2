"""The stand-in for Marathon under all that can happen at once: it keeps its rules, and comes to rest as it should."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from marathon_client import SMALL, Client
from marathon_memory import Memory, Node, Program
from marathon_server import MarathonServer

pytestmark = pytest.mark.looptime

APPS = ("/a", "/b", "/c/d")
NODES = ("one", "two", "three")


class Chaos:
    def __init__(self, server: MarathonServer, memory: Memory, client: Client, seed: int) -> None:
        self.server = server
        self.memory = memory
        self.client = client
        self.chance = random.Random(seed)
        self.answers: Counter[int] = Counter()

    async def act(self) -> None:
        acts = [
            self.scale,
            self.scale,
            self.several,
            self.name,
            self.cancel,
            self.end,
            self.node,
            self.remove,
            self.lead,
        ]
        await self.chance.choice(acts)()
        await asyncio.sleep(self.chance.choice([0.0, 0.1, 2.0, 10.0]))
        self.look()

    async def ask(self, method: str, path: str, body: object = None) -> None:
        force = self.chance.choice(["true", "false", "false", "false"])
        answer = await self.client.ask(method, f"{path}{'&' if '?' in path else '?'}force={force}", body)
        assert answer.status in {200, 201, 202, 404, 409}, answer
        self.answers[answer.status] += 1

    async def scale(self) -> None:
        update = {**SMALL, "instances": self.chance.randrange(6), "cpus": self.chance.choice([0.1, 0.1, 0.1, 0.2])}
        await self.ask("PUT", f"/v2/apps{self.chance.choice(APPS)}", update)

    async def several(self) -> None:
        await self.ask("PUT", "/v2/apps", [{**SMALL, "id": app, "instances": self.chance.randrange(6)} for app in APPS])

    async def name(self) -> None:
        tasks = (await self.client.get("/v2/tasks"))["tasks"]
        some = self.chance.sample(tasks, min(len(tasks), 2))
        scale = self.chance.choice(["true", "false"])
        await self.ask("POST", f"/v2/tasks/delete?scale={scale}", {"ids": [task["id"] for task in some]})

    async def cancel(self) -> None:
        for each in (await self.client.get("/v2/deployments"))[:1]:
            await self.ask("DELETE", f"/v2/deployments/{each['id']}")

    async def end(self) -> None:
        for task in self.memory.tasks()[:1]:
            self.memory.end(task.id, self.chance.choice(["TASK_FAILED", "TASK_FINISHED", "TASK_LOST"]))

    async def node(self) -> None:
        node = self.memory.nodes[self.chance.choice(NODES)]
        (self.memory.find if node.lost else self.memory.lose)(node.name)

    async def remove(self) -> None:
        await self.ask("DELETE", f"/v2/apps{self.chance.choice(APPS)}")

    async def lead(self) -> None:
        self.server.abdicate()
        await asyncio.sleep(self.chance.choice([0.0, 5.0]))
        self.server.elect(0)

    def look(self) -> None:
        """No node holds more than it has, and no app is locked twice."""
        for node in self.memory.nodes.values():
            used = sum(task.app.spec["cpus"] for task in self.memory.tasks() if task.node is node)
            assert used <= node.cpus + 1e-9
        locks = [app for each in self.server.scheduler.deployments.shown() for app in each["affectedApps"]]
        assert len(locks) == len(set(locks))


@pytest.mark.parametrize("seed", range(3))
async def test_it_comes_to_rest_with_what_is_wanted(seed: int) -> None:
    memory = Memory(*(Node(name=name, cpus=0.6, mem=1000) for name in NODES), program=Program(stop=1.0))
    async with MarathonServer(memory) as server, Client(server.url) as client:
        chaos = Chaos(server, memory, client, seed)
        for _ in range(60):
            await chaos.act()
        for name in NODES:
            memory.find(name)
        memory.add(Node(name="large", cpus=10, mem=10000))
        await asyncio.sleep(2000)
        chaos.look()
        assert await client.get("/v2/deployments") == []
        wanted = {app["id"]: app["instances"] for app in (await client.get("/v2/apps"))["apps"]}
        there = Counter(task.app.id for task in memory.tasks())
        assert there == Counter(wanted)
        told = Counter(task["appId"] for task in (await client.get("/v2/tasks"))["tasks"])
        assert told == there
        assert chaos.answers[200] > 10
