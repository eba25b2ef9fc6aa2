"""Apps as the API lists them: which ones, and with what embedded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from marathon_definition import Definition, Json
from marathon_root import app_told
from marathon_scheduler import Scheduler
from marathon_selector import selector

__all__ = ["EVERYTHING", "embedded", "found", "listed"]

EVERYTHING = frozenset({"tasks", "counts", "deployments", "lastTaskFailure", "readiness"})
USUAL = frozenset({"counts", "deployments"})


def embedded(asked: Collection[str], usual: Collection[str] = USUAL) -> set[str]:
    """Of ``apps.tasks``, ``app.tasks`` ...; what nobody knows is not embedded."""
    if not asked:
        return set(usual)
    names = {each.partition(".")[2] for each in asked if each.startswith(("apps.", "app."))}
    if "failures" in names:
        names |= {"lastTaskFailure", "tasks", "counts", "deployments"}
    if "tasks" in names:
        names.add("deployments")
    return names


def found(scheduler: Scheduler, query: Mapping[str, str]) -> list[Definition]:
    """Raises Refusal."""
    rules: list[Callable[[Definition], bool]] = []
    if part := query.get("id", "").lower():
        rules.append(lambda app: part in app.id)
    if cmd := query.get("cmd", "").lower():
        rules.append(lambda app: cmd in app.spec.get("cmd", "").lower())
    if "label" in query:
        holds = selector(query["label"])
        rules.append(lambda app: holds(app.spec["labels"]))
    return [app for _, app in sorted(scheduler.apps.items()) if all(rule(app) for rule in rules)]


def listed(scheduler: Scheduler, app: Definition, embed: Collection[str]) -> Json:
    told = app_told(app)
    if "counts" in embed:
        told.update(scheduler.instances.counts(app.id))
    if "deployments" in embed:
        told["deployments"] = [{"id": each} for each in scheduler.deployments.locking({app.id})]
    if "tasks" in embed:
        told["tasks"] = [each.shown() for each in scheduler.of(app.id) if each.launched]
    if "readiness" in embed:
        told["readinessCheckResults"] = []
    if "lastTaskFailure" in embed and app.id in scheduler.news.failures:
        told["lastTaskFailure"] = scheduler.news.failures[app.id]
    return told
