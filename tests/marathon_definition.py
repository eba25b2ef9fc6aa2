"""An app as its owner has written it, made whole with what Marathon fills in, and numbered by version.

The fields that are looked at are checked as Marathon checks them; of the others (``container``, ``fetch``, ``secrets``,
``user`` ...) only that they are of the right kind. Fields that Marathon does not know are dropped without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from marathon_fields import FIELDS, shapes, values
from marathon_refusals import invalid

__all__ = ["Definition", "Json", "absolute", "complete", "merged"]

Json = dict[str, Any]

PATH = re.compile(r"(/?((\.{2})|([a-z0-9][a-z0-9\-.]*[a-z0-9]+)|([a-z0-9]*))($|/))+")
SERVICE_PORTS = range(10000, 20001)
UPGRADE = {"minimumHealthCapacity": 1, "maximumOverCapacity": 1}
UNREACHABLE = {"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0}
PORT = {"protocol": "tcp"}
CHECK = {
    "protocol": "HTTP",
    "gracePeriodSeconds": 300,
    "intervalSeconds": 60,
    "timeoutSeconds": 20,
    "delaySeconds": 15,
    "maxConsecutiveFailures": 3,
    "ignoreHttp1xx": False,
}
DEFAULTS: Json = {
    "acceptedResourceRoles": ["*"],
    "backoffFactor": 1.15,
    "backoffSeconds": 1,
    "cpus": 1,
    "disk": 0,
    "executor": "",
    "instances": 1,
    "labels": {},
    "maxLaunchDelaySeconds": 300,
    "mem": 128,
    "gpus": 0,
    "networks": [{"mode": "host"}],
    "requirePorts": False,
    "killSelection": "YOUNGEST_FIRST",
}
OMITTED = {
    "args",
    "constraints",
    "dependencies",
    "env",
    "fetch",
    "healthChecks",
    "readinessChecks",
    "secrets",
    "storeUrls",
}
"""Not told while they are empty."""


def absolute(id_: str) -> str:
    """The id as Marathon keeps it. Raises Refusal if it is none."""
    if PATH.fullmatch(id_) is None or not id_.strip("/"):
        raise invalid({"/id": [f"must fully match regular expression '^{PATH.pattern}+$'"]})
    return "/" + "/".join(each for each in id_.split("/") if each)


@dataclass(frozen=True, slots=True)
class Definition:
    """``spec`` holds all fields but the version. ``version``, ``scaled`` and ``configured`` are seconds since the epoch."""

    id: str
    spec: Mapping[str, Any]
    version: float
    scaled: float
    configured: float

    @property
    def instances(self) -> int:
        return int(self.spec["instances"])

    @property
    def ports(self) -> list[Json]:
        """What host ports a task takes: one for each of these."""
        container = self.spec.get("container") or {}
        return list(container.get("portMappings") or self.spec.get("portDefinitions") or [])

    @property
    def checked(self) -> bool:
        return bool(self.spec.get("healthChecks"))

    def upgrades(self, other: Definition) -> bool:
        """There is more between them than the number of instances."""
        return {**self.spec, "instances": 0} != {**other.spec, "instances": 0}

    def replaced(self, spec: Json, at: float) -> Definition:
        """The next version; the same if nothing is new in it. A version is later than the one before it."""
        after = Definition(self.id, spec, max(at, self.version + 0.001), self.scaled, self.configured)
        if spec == self.spec:
            return self
        if self.upgrades(after):
            return Definition(self.id, spec, after.version, after.version, after.version)
        return Definition(self.id, spec, after.version, after.version, self.configured)


def merged(before: Definition | None, update: Json, *, partial: bool) -> Json:
    """The fields after an update. What is left out stays as it was, or with ``partial`` false gets its default."""
    _check(update)
    known = {key: value for key, value in update.items() if key in FIELDS and value is not None}
    known.pop("version", None)
    kept = dict(before.spec) if before is not None and partial else {}
    if "ports" in known:
        kept.pop("portDefinitions", None)
    kept.update(known)
    return kept


def complete(id_: str, spec: Json, own: Iterable[int] = (), taken: Iterable[int] = ()) -> Json:
    """With all that Marathon fills in. Raises Refusal with all faults.

    ``own`` are the service ports that the app had before, ``taken`` those of others.
    """
    whole = {**DEFAULTS, **spec, "id": id_}
    whole["upgradeStrategy"] = {**UPGRADE, **whole.get("upgradeStrategy", {})}
    whole["labels"] = dict(whole["labels"])
    if whole.get("unreachableStrategy") != "disabled":
        whole["unreachableStrategy"] = {**UNREACHABLE, **whole.get("unreachableStrategy", {})}
    whole["healthChecks"] = [{**CHECK, **each} for each in whole.get("healthChecks", [])]
    _ports(whole, own, set(taken))
    if faults := values(whole):
        raise invalid(faults)
    return {key: value for key, value in whole.items() if value or key not in OMITTED}


def _check(update: Json) -> None:
    if faults := shapes(update):
        raise invalid(faults, "Invalid JSON")


def _ports(whole: Json, own: Iterable[int], taken: set[int]) -> None:
    """A service port for every port that has none. An app on the host's network that says nothing gets one port."""
    old = [{"port": each} for each in whole.pop("ports", [])]
    given = whole.get("portDefinitions", old or [{"port": 0, "name": "default"}])
    if whole["networks"][0].get("mode") != "host":
        whole.pop("portDefinitions", None)
        return
    free = iter(dict.fromkeys(each for each in chain(own, SERVICE_PORTS) if each not in taken))
    whole["portDefinitions"] = [
        {**PORT, **{key: value for key, value in each.items() if key != "port"}, "port": each.get("port") or next(free)}
        for each in given
    ]
