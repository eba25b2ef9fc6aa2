"""The groups of apps, as a tree from the root."""

from __future__ import annotations

from collections.abc import Collection

from marathon_clock import iso
from marathon_definition import Definition, Json
from marathon_plan import Apps

__all__ = ["app_told", "root"]


def app_told(app: Definition) -> Json:
    """An app's definition as the API tells it."""
    times = {"lastScalingAt": iso(app.scaled), "lastConfigChangeAt": iso(app.configured)}
    return {**app.spec, "version": iso(app.version), "versionInfo": times}


def root(apps: Apps, groups: Collection[str], version: float, at: str = "/") -> Json:
    """The group ``at`` and all that is in it."""
    return {
        "id": at,
        "apps": [app_told(apps[app]) for app in sorted(apps) if _parent(app) == at],
        "pods": [],
        "groups": [root(apps, groups, version, each) for each in sorted(groups) if _parent(each) == at],
        "dependencies": [],
        "version": iso(version),
    }


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "/"
