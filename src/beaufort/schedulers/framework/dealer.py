"""Deals offers to the tasks that wait for one. What is not needed is given back at once: nothing is held.

While none waits the master is told to make no offers; as soon as one does, to make them now, not at its next interval.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from beaufort.constraints import Constraint
from beaufort.model import Resources, Service
from beaufort.packing import Batch, Space, pack
from beaufort.schedulers.framework.agents import Agents, attributes
from beaufort.schedulers.framework.amounts import PORTS, Stock
from beaufort.schedulers.framework.answers import Offer
from beaufort.schedulers.framework.launch import constraints, has_check, size, task_info
from beaufort.schedulers.framework.master import Master, Refusal
from beaufort.schedulers.framework.tasks import DEPLOYMENT, SERVICE, Phase, Task, Tasks

__all__ = ["Dealer", "Order"]

REFUSED_FOR = 3600.0
"""Seconds for which what is given back is not to be offered again. What is more than that is offered all the same, and
``REVIVE`` ends it."""

Run = Callable[[Coroutine[Any, Any, None]], object]


@dataclass(eq=False, slots=True)
class Order:
    """What new tasks of a service are made from. ``reason``: why some wait still, as of the last offers."""

    service: Service
    size: Resources
    constraints: tuple[Constraint, ...]
    begun: list[Task] = field(default_factory=list)
    reason: str = "no offers have come"

    @classmethod
    def of(cls, service: Service) -> Order:
        return cls(service, size(service), constraints(service))

    def waits(self) -> list[Task]:
        return [task for task in self.begun if task.phase is Phase.WAITING]

    @property
    def is_sent(self) -> bool:
        """Whether the master has been asked for all that are still wanted."""
        return all(task.sent or task.phase is Phase.GONE for task in self.begun)


class Dealer:
    """``run`` has a call made beside all else."""

    def __init__(self, master: Master, tasks: Tasks, agents: Agents, run: Run) -> None:
        self._master = master
        self._tasks = tasks
        self._agents = agents
        self._role = agents.role
        self._run = run
        self._orders: list[Order] = []
        self._turn = asyncio.Lock()
        self._suppressed, self._anew = True, False

    def begin(self, order: Order, count: int) -> None:
        """So many more of an order are to be started."""
        service, checked = order.service, has_check(order.service)
        order.begun = [self._tasks.begin(service.name, order.size, time.time(), checked=checked) for _ in range(count)]
        self._orders.append(order)
        self._anew = True
        self._run(self._tell_mood())

    def give_up(self, order: Order) -> None:
        """Those of it that wait still are not wanted any more."""
        for task in order.waits():
            self._tasks.drop(task)
        self._run(self._tell_mood())

    def offered(self, offers: Sequence[Offer]) -> None:
        """Takes what is needed, by agent, and gives the rest back."""
        now = time.time()
        for offer in offers:
            if offer.unavailability is not None:
                self._agents.leave(offer.agent_id.value, now)
        by_agent: defaultdict[str, list[Offer]] = defaultdict(list)
        for offer in offers:
            by_agent[offer.agent_id.value].append(offer)
        launches = self._deal({id_: each for id_, each in by_agent.items() if self._agents.stays(id_, now)})
        for agent, tasks in launches.items():
            self._run(self._accept(by_agent[agent], tasks))
        if rest := [offer.id for offer in offers if offer.agent_id.value not in launches]:
            self._run(self._decline([each.value for each in rest]))
        self._run(self._tell_mood())

    def _deal(self, by_agent: Mapping[str, Sequence[Offer]]) -> dict[str, list[tuple[Task, dict[str, Any]]]]:
        """Agent -> the tasks that it takes, each with what is to be sent."""
        self._orders = [order for order in self._orders if order.waits()]
        stocks = {id_: Stock([r for o in offers for r in o.resources], self._role) for id_, offers in by_agent.items()}
        batches = [
            Batch(order.service.name, order.size, len(order.waits()), order.constraints, order.service.priority)
            for order in self._orders
        ]
        spaces = self._spaces(by_agent, stocks, {name for batch in batches for name in batch.size})
        packed = pack(batches, spaces, self._tasks.on())
        launches: defaultdict[str, list[tuple[Task, dict[str, Any]]]] = defaultdict(list)
        for index, order in enumerate(self._orders):
            waiting = iter(order.waits())
            for place, count in packed.places[index].items():
                agent = spaces[place].node
                for task in [next(waiting) for _ in range(count)]:
                    launches[agent].append((task, self._info(order, task, agent, stocks[agent])))
                    self._tasks.launched(task, agent)
            order.reason = packed.reasons.get(index, "")
        return launches

    def _spaces(
        self, by_agent: Mapping[str, Sequence[Offer]], stocks: Mapping[str, Stock], names: set[str]
    ) -> list[Space]:
        """The fullest first, so that few are begun; and those without an offer, as they count where tasks are spread."""
        nothing = dict.fromkeys(names, 0.0)
        told = self._agents.attributes()
        for id_, offers in by_agent.items():
            told[id_] = attributes(id_, offers[0])
        free = {id_: Resources({**nothing, **dict(stock.free.items())}) for id_, stock in stocks.items()}
        now = time.time()
        closed = {id_: "without an offer" if self._agents.stays(id_, now) else "about to go" for id_ in told}
        spaces = [
            Space(id_, free.get(id_, Resources()), each, "" if id_ in stocks else closed[id_])
            for id_, each in told.items()
        ]
        return sorted(spaces, key=lambda space: (space.free.get("cpu"), space.node))

    def _info(self, order: Order, task: Task, agent: str, stock: Stock) -> dict[str, Any]:
        ports = round(order.size.get(PORTS))
        resources, numbers = stock.take(order.service.resources, ports)
        labels = {DEPLOYMENT: self._tasks.deployment, SERVICE: order.service.name}
        info = task_info(order.service, labels, resources, numbers)
        return {**info, "task_id": {"value": task.id}, "agent_id": {"value": agent}}

    async def _accept(self, offers: Sequence[Offer], tasks: Sequence[tuple[Task, dict[str, Any]]]) -> None:
        launch = {"type": "LAUNCH", "launch": {"task_infos": [info for _, info in tasks]}}
        ids = [{"value": offer.id.value} for offer in offers]
        filters = {"refuse_seconds": REFUSED_FOR}
        try:
            await self._master.call(
                {"type": "ACCEPT", "accept": {"offer_ids": ids, "operations": [launch], "filters": filters}}
            )
            for task, _ in tasks:
                task.sent = True
            self._tasks.touch()
        except Refusal as refusal:
            for task, _ in tasks:
                task.refused = refusal.words
                self._tasks.drop(task)

    async def _decline(self, offers: Sequence[str]) -> None:
        ids = [{"value": id_} for id_ in offers]
        await self._master.call(
            {"type": "DECLINE", "decline": {"offer_ids": ids, "filters": {"refuse_seconds": REFUSED_FOR}}}
        )

    async def _tell_mood(self) -> None:
        """One after the other, so that the master's last word is the right one."""
        async with self._turn:
            waits = bool(self._tasks.waiting())
            if waits and self._anew:
                self._anew = self._suppressed = False
                await self._master.call({"type": "REVIVE", "revive": {"roles": [self._role]}})
            elif not waits and not self._suppressed:
                self._suppressed = True
                await self._master.call({"type": "SUPPRESS", "suppress": {"roles": [self._role]}})
