"""A machine of the model world: what it holds of each resource, and the most that it ever held."""

from __future__ import annotations

from dataclasses import dataclass, field

from beaufort.model import Node, Resources

__all__ = ["Machine", "Tally", "while_paused", "while_running"]

SLACK = 1e-9
"""The share of a capacity by which a sum of floats may miss it: 3 x 0.1 cores fit into 0.3."""

RUNNING = {"containers", "cpu"}
"""What a paused container does not take."""


@dataclass(slots=True)
class Tally:
    """What is held of each resource, and the most that ever was at one time."""

    held: dict[str, float] = field(default_factory=dict)
    peak: dict[str, float] = field(default_factory=dict)

    def take(self, size: Resources) -> None:
        for name, amount in size.items():
            held = self.held[name] = self.held.get(name, 0.0) + amount
            if held > self.peak.get(name, 0.0):
                self.peak[name] = held

    def give_back(self, size: Resources) -> None:
        for name, amount in size.items():
            self.held[name] -= amount


@dataclass(eq=False, slots=True)
class Machine:
    """``index``: its place among the others."""

    node: Node
    tally: Tally = field(default_factory=Tally)
    index: int = 0

    @property
    def free(self) -> Resources:
        """What is free, with what a sum of floats may miss. What is not named is not limited."""
        held = self.tally.held
        amounts = self.node.capacity.items()
        return Resources({name: max(0.0, amount * (1 + SLACK) - held.get(name, 0.0)) for name, amount in amounts})

    def fits(self, size: Resources) -> bool:
        return all(size.get(name) <= amount for name, amount in self.free.items())


def while_running(size: Resources) -> Resources:
    """What of its size a container takes only while it runs."""
    return Resources({name: amount for name, amount in size.items() if name in RUNNING})


def while_paused(size: Resources) -> Resources:
    """The rest of it."""
    return Resources({name: amount for name, amount in size.items() if name not in RUNNING})
