"""The documents are complete and true: every key, plugin, command and public name is told; every example is read."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

import beaufort
from beaufort.cli import app
from beaufort.machines import SimulatedLaunch
from beaufort.reading.signature import Signature
from beaufort.registry import DEMAND, POLICIES, SCHEDULERS, Registry
from beaufort.schedulers.apps.launch import MarathonLaunch
from beaufort.schedulers.cluster.launch import SwarmLaunch
from beaufort.schedulers.engine.launch import DockerLaunch
from beaufort.schedulers.framework.launch import MesosLaunch
from beaufort.sections import CONTENTS, ServiceSection, settle

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()

each_page = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(CONTENTS.keys, id="the file"),
        pytest.param(Signature(ServiceSection).keys, id="a service"),
        pytest.param(Signature(settle).keys, id="settling"),
        pytest.param(Signature(DockerLaunch).keys, id="a service on a Docker Engine"),
        pytest.param(Signature(MarathonLaunch).keys, id="a service on a Marathon"),
        pytest.param(Signature(MesosLaunch).keys, id="a service on Mesos"),
        pytest.param(Signature(SwarmLaunch).keys, id="a service on a Docker Swarm"),
        pytest.param(Signature(SimulatedLaunch).keys, id="a service in a simulated cluster"),
    ],
)
def test_every_key_is_in_a_table(keys: dict[str, object]) -> None:
    rows = "\n".join(line.split("|")[1] for line in CONFIGURATION.splitlines() if line.startswith("| `"))
    assert [key for key in keys if f"`{key}`" not in rows] == []


@pytest.mark.parametrize("registry", [DEMAND, SCHEDULERS], ids=["demand", "schedulers"])
def test_every_plugin_and_its_keys_are_told(registry: Registry[object]) -> None:
    for name in registry.names():
        row = next(line for line in CONFIGURATION.splitlines() if line.startswith(f"| `{name}` |"))
        keys = Signature(registry.find(name), supplied=registry.supplied).keys
        assert [key for key in keys if f"`{key}`" not in row] == [], name


def test_every_policy_has_a_heading() -> None:
    text = (ROOT / "docs/policies.md").read_text()
    assert [name for name in POLICIES.names() if f"\n## {name}\n" not in text] == []


def test_every_command_is_told() -> None:
    told = "\n".join(page.read_text() for page in PAGES)
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert [name for name in commands if f"beaufort {name}" not in told and f"make {name}" not in told] == []


def test_every_public_name_is_told_and_there() -> None:
    told = "\n".join(page.read_text() for page in PAGES)
    assert [name for name in beaufort.__all__ if not re.search(rf"\b{name}\b", told)] == []
    assert all(getattr(beaufort, name) is not None for name in beaufort.__all__)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@each_page
def test_python_and_yaml_are_read(page: Path) -> None:
    for block in blocks(page, "python"):
        ast.parse(block)
    for block in blocks(page, "yaml"):
        parsed = yaml.safe_load(block)
        if "services" in parsed:
            assert beaufort.load(parsed).services


def test_the_example_is_a_configuration() -> None:
    text = (ROOT / "examples/work-queue/beaufort.yaml").read_text()
    assert [service.name for service in beaufort.load(yaml.safe_load(text)).services] == ["worker", "batch"]
