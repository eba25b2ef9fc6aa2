"""Random worlds and what befalls them, for hypothesis. All strategies of the world tests are here; nothing runs here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from hypothesis import strategies as st

from beaufort.behaviour import Behaviour, Delay
from beaufort.machines import SimulatedLaunch
from beaufort.model import NO_STANDBY, Band, Fallback, Launch, Node, RateLimit, Resources, Service, Settling, Standby
from beaufort.policies.constant import Constant
from beaufort.policies.per_container import PerContainer
from beaufort.policies.remainder import Remainder
from beaufort.protocols import Policy
from beaufort.world import Link

MEMORYLESS = Settling(
    tolerance_down=0.0, window_down=0.0, idle=0.0, stale_after=1e6, ramp=0.0
)  # what is desired depends on the newest sample alone


INSTANT = Behaviour()


@dataclass(frozen=True, slots=True)
class Demand:
    """The demand of a service becomes ``value``, and its source says so at once."""

    service: int
    value: float


@dataclass(frozen=True, slots=True)
class Silence:
    """The source of a service says nothing more."""

    service: int


@dataclass(frozen=True, slots=True)
class Sound:
    """It speaks again."""

    service: int


@dataclass(frozen=True, slots=True)
class Crash:
    """So many containers of a service end."""

    service: int
    many: int


@dataclass(frozen=True, slots=True)
class Behave:
    """From now on the containers of a service behave like this."""

    service: int
    behaviour: Behaviour


@dataclass(frozen=True, slots=True)
class Connect:
    """The link to the scheduler becomes this."""

    link: Link


@dataclass(frozen=True, slots=True)
class Kill:
    """The controller is killed, and another one starts."""


@dataclass(frozen=True, slots=True)
class Lose:
    """A node goes away."""

    node: int


@dataclass(frozen=True, slots=True)
class Join:
    """A node like the first one of the plot joins."""


Happening = Demand | Silence | Sound | Crash | Behave | Connect | Kill | Lose | Join


@dataclass(frozen=True, slots=True)
class Plot:
    """A world, a configuration for it, and a script of (seconds to wait, what happens then).

    It begins at the time ``begin``: floats round in another way near zero than so many seconds since the epoch.
    ``capacity`` is the configured one; empty is what the scheduler reports. ``found`` is what runs at the beginning.
    An action takes ``latency`` seconds to be answered, and with ``late`` as long to be done; a change is seen by the
    controller within ``batch`` seconds. With ``crossing`` a snapshot is taken just before each answer comes, and both
    are told together. ``chooses``: whether the scheduler can be told from which nodes containers are to go.
    """

    services: tuple[Service, ...]
    policies: Mapping[str, Policy]
    nodes: tuple[Node, ...] = ()
    capacity: tuple[Node, ...] = ()
    quotas: Mapping[str, Resources] = field(default_factory=dict)
    bands: tuple[Band, ...] = ()
    found: Mapping[str, int] = field(default_factory=dict)
    behaviour: Behaviour = INSTANT
    seed: int = 0
    latency: float = 0.0
    late: bool = False
    batch: float = 0.0
    crossing: bool = False
    script: tuple[tuple[float, Happening], ...] = ()
    begin: float = 0.0
    chooses: bool = True


rules = st.sampled_from(
    [
        None,
        SimulatedLaunch(constraints=("zone LIKE a",)),
        SimulatedLaunch(constraints=("zone UNLIKE a",)),
        SimulatedLaunch(constraints=("@hostname UNIQUE",)),
        SimulatedLaunch(constraints=("zone MAX_PER 2",)),
        SimulatedLaunch(constraints=("zone LIKE b", "@hostname MAX_PER 2")),
        SimulatedLaunch(constraints=("zone LIKE nowhere",)),
    ]
)
either = st.booleans()
indices = st.integers(0, 4)
gaps = st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 61.0])
short_gaps = st.sampled_from([0.1, 0.2, 0.5, 1.0, 3.0])
delays = st.builds(Delay, st.sampled_from([0.0, 0.2, 1.0, 4.0]), st.sampled_from([0.0, 0.5]))
behaviours = st.one_of(
    st.builds(Behaviour, start=delays, stop=delays),
    st.just(Behaviour(start=Delay(20.0))),
    st.just(Behaviour(stop=Delay(60.0))),
    st.builds(Behaviour, start=delays, exits_after=st.sampled_from([0.0, 3.0, 30.0])),
    st.just(Behaviour(failure_rate=0.05)),
    st.just(Behaviour(rejected="no such image")),
)
values = st.one_of(st.sampled_from([0.0, 12.0]), st.integers(0, 12).map(float), st.floats(0, 12))
demands = st.builds(Demand, indices, values)
silences = st.one_of(st.builds(Silence, indices), st.builds(Sound, indices))
faults = st.one_of(
    st.builds(Crash, indices, st.integers(1, 5)),
    st.builds(Behave, indices, behaviours),
    st.builds(Connect, st.sampled_from(Link)),
    st.just(Kill()),
)
moves = st.one_of(st.builds(Lose, st.integers(0, 3)), st.just(Join()))

shapes = st.builds(
    lambda cpu, memory, gpu: Resources({n: a for n, a in (("cpu", cpu), ("memory", memory), ("gpu", gpu)) if a}),
    st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0]),
    st.sampled_from([0, 64, 100, 256]),
    st.sampled_from([0, 0, 0, 1]),
)
limits = st.one_of(
    st.none(),
    st.builds(RateLimit, st.sampled_from([2.0, 10.0]), amount=st.integers(1, 3)),
    st.builds(RateLimit, st.sampled_from([2.0, 10.0]), share=st.sampled_from([0.1, 0.5])),
)
settlings = st.one_of(
    st.just(Settling()),
    st.just(MEMORYLESS),
    st.builds(
        Settling,
        tolerance_up=st.sampled_from([0.0, 0.1]),
        tolerance_down=st.sampled_from([0.0, 0.1, 0.3]),
        window_up=st.sampled_from([0.0, 3.0]),
        window_down=st.sampled_from([0.0, 15.0]),
        limit_up=limits,
        limit_down=limits,
        idle=st.sampled_from([0.0, 20.0]),
        activation=st.sampled_from([0.0, 1.0]),
        stale_after=st.sampled_from([12.0, 30.0]),
        fallback=st.one_of(
            st.just(Fallback()),
            st.builds(Fallback, st.integers(0, 5)),
            st.builds(Fallback, st.integers(0, 5), st.just(True)),
        ),
        ramp=st.sampled_from([0.0, 10.0]),
    ),
)
standbys = st.sampled_from([NO_STANDBY, NO_STANDBY, Standby(2), Standby(paused=2), Standby(1, 1, 1)])
policies = st.one_of(
    st.builds(PerContainer, target=st.sampled_from([1.0, 3.0])),
    st.builds(PerContainer, target=st.just(1.0)),
    st.builds(Constant, count=st.integers(0, 10)),
    st.builds(Remainder),
)
capacities = st.builds(
    lambda slots, others: Resources({"containers": slots} | others),
    st.integers(1, 15),
    st.fixed_dictionaries(
        {},
        optional={
            "cpu": st.sampled_from([0.3, 1.0, 2.5, 4.0]),
            "memory": st.sampled_from([256, 1000, 1500]),
            "gpu": st.integers(0, 3),
        },
    ),
)
quotas = st.fixed_dictionaries(
    {},
    optional={
        "g": st.one_of(
            st.builds(Resources, containers=st.integers(0, 6)), st.builds(Resources, cpu=st.sampled_from([0.5, 1.5]))
        )
    },
)
hard_bands: st.SearchStrategy[tuple[Band, ...]] = st.sampled_from(
    [(Band("all", 1, 4),), (Band("upper", 1, 2),), (Band("a", 1, 2), Band("b", 3, 4))]
)
bands = st.one_of(st.just(()), st.just((Band("free", 1, 4, preemptible=True),)), hard_bands)


@st.composite
def services(draw: st.DrawFn, number: int, settling: st.SearchStrategy[Settling], shape: Resources | None) -> Service:
    least = draw(st.sampled_from([0, 0, 1, 3]))
    return Service(
        f"s{number}",
        priority=draw(st.integers(1, 4)),
        min=least,
        max=draw(st.one_of(st.none(), st.integers(least, least + 9))),
        weight=draw(st.sampled_from([1.0, 1.0, 2.0, 0.5, 3.0])),
        resources=draw(shapes) if shape is None else shape,
        group=draw(st.sampled_from([None, None, "g"])),
        settling=draw(settling),
        standby=draw(standbys),
    )


class Pace(StrEnum):
    ANY = "any"
    SWIFT = "swift"
    """The scheduler answers at once."""
    HASTY = "hasty"
    """Demand jumps, and is followed at once, while the scheduler takes its time."""


@st.composite
def plots(
    draw: st.DrawFn,
    *happenings: st.SearchStrategy[Happening],
    settling: st.SearchStrategy[Settling] = settlings,
    bands: st.SearchStrategy[tuple[Band, ...]] = bands,
    pace: Pace = Pace.ANY,
    whole: bool = True,
    alike: bool = False,
    choosing: st.SearchStrategy[bool] = either,
    ruled: bool = False,
) -> Plot:
    """A plot. ``whole``: the pool is one configured total, without nodes; otherwise it is what 1 to 4 nodes report.
    ``alike``: all containers have one shape. ``ruled``: services may have constraints.
    """
    hasty = pace is Pace.HASTY
    shape = draw(shapes) if alike else None
    settling = st.just(MEMORYLESS) if hasty else settling
    chosen = tuple(draw(services(number, settling, shape)) for number in range(draw(st.integers(1, 5))))
    if ruled:
        chosen = tuple(replace(each, launch=Launch(options=draw(rules))) for each in chosen)
    names = [service.name for service in chosen]
    pools = draw(st.lists(capacities, min_size=1, max_size=1 if whole else 4))
    nodes = tuple(
        Node(f"n{number}", capacity, {"zone": "ab"[number % 2], "@hostname": f"n{number}"})
        for number, capacity in enumerate(pools)
    )
    first = draw(st.lists(values, max_size=len(chosen)))
    opening = tuple((0.0, Demand(number, value)) for number, value in enumerate(first))
    script = st.lists(st.tuples(short_gaps if hasty else gaps, st.one_of(*happenings)), max_size=25)
    latencies = {Pace.ANY: [0.0, 0.3, 2.0], Pace.SWIFT: [0.0], Pace.HASTY: [0.3, 2.0]}
    return Plot(
        services=chosen,
        policies={name: draw(policies) for name in names},
        nodes=() if whole else nodes,
        capacity=nodes if whole else (),
        quotas=draw(quotas),
        bands=draw(bands),
        found=draw(st.dictionaries(st.sampled_from([*names, "stranger"]), st.integers(0, 6), max_size=3)),
        behaviour=Behaviour(draw(delays), draw(delays)),
        seed=draw(st.integers(0, 3)),
        latency=draw(st.sampled_from(latencies[pace])),
        late=hasty or draw(st.booleans()),
        batch=draw(st.sampled_from([0.0, 0.0, 0.5])),
        crossing=draw(st.booleans()),
        script=(*opening, *draw(script)),
        begin=draw(st.sampled_from([0.0, 1000.0, 1.7e9])),
        chooses=draw(choosing),
    )
