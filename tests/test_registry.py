"""Names to plugins: built-in ones, outsiders by entry point, and what their signatures make of options."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from beaufort.demand.push import Push
from beaufort.policies.remainder import Remainder
from beaufort.protocols import ConfigError, DemandSource, Policy
from beaufort.quantity import Secret
from beaufort.reading.document import Document, Fault, Place
from beaufort.reading.shape import FAULTY, attempt
from beaufort.registry import DEMAND, POLICIES, SCHEDULERS, PluginSpec, Registry
from stranger import GIVEN, Bare, Gauge, Steady

SOURCES: Registry[DemandSource] = Registry("demand source", "beaufort.demand", {"gauge": "stranger:Gauge"})
WISHES: Registry[Policy] = Registry(
    "policy", "beaufort.policies", {"steady": "stranger:Steady", "bare": "stranger:Bare"}
)


def faults_of(registry: Registry[Any], section: object) -> list[str]:
    """What is wrong with a section at ``checkout.demand``."""
    faults: list[Fault] = []
    place = Place(Document({}), ("services", "checkout", "demand"))
    spec = attempt(registry, section, place, faults)
    assert bool(faults) == (spec is FAULTY)
    return [fault.text for fault in faults]


def spec_of(registry: Registry[Any], section: Mapping[str, object], file: str | None = None) -> PluginSpec[Any]:
    faults: list[Fault] = []
    spec = registry.read(section, Place(Document({}, file), ("services", "checkout", "demand")), faults)
    assert isinstance(spec, PluginSpec), faults
    return spec


@pytest.mark.parametrize(
    ("option", "written", "read"),
    [
        pytest.param("file", "gauges/a.csv", Path("/etc/shop/gauges/a.csv"), id="path beside the file"),
        pytest.param("file", "/var/a.csv", Path("/var/a.csv"), id="absolute path"),
        pytest.param("file", None, None, id="nothing where that may be"),
        pytest.param("every", "300ms", 0.3, id="seconds"),
        pytest.param("kind", "steam", "steam", id="literal"),
        pytest.param("size", "1KiB", 1024, id="bytes"),
        pytest.param("cpu", "500m", 0.5, id="cores"),
        pytest.param("part", "50%", 0.5, id="share"),
        pytest.param("gain", 2, 2.0, id="optional number with a bound"),
        pytest.param("times", 3, 3, id="whole number"),
        pytest.param("strict", False, False, id="flag"),
        pytest.param("list", "jobs", "jobs", id="a name that Python has taken"),
        pytest.param("tags", ["a", "b"], ["a", "b"], id="list"),
        pytest.param("words", ["a", "b"], ("a", "b"), id="tuple"),
        pytest.param("span", [1, 2], (1, 2.0), id="pair"),
        pytest.param("rates", {"a": 1}, {"a": 1.0}, id="mapping"),
        pytest.param("target", "5s", 5.0, id="first of two types"),
        pytest.param("target", "never", "never", id="second of two types"),
        pytest.param("target", None, None, id="nothing within the first of two types"),
    ],
)
def test_the_annotation_decides_how_an_option_is_read(option: str, written: object, read: object) -> None:
    made = spec_of(SOURCES, {"type": "gauge", option: written}, "/etc/shop/beaufort.yaml").make()
    assert made.given["list_" if option == "list" else option] == read


def test_what_is_not_given_is_the_default_of_the_signature() -> None:
    assert spec_of(SOURCES, {"type": "gauge"}).make().given == Gauge().given


@pytest.mark.parametrize(
    ("section", "faults"),
    [
        pytest.param("gauge", ['checkout.demand: expected a mapping with type, got "gauge"; write {type: gauge}'], id="only a name"),
        pytest.param(5, ["checkout.demand: expected a mapping with type, got 5"], id="not a mapping"),
        pytest.param({}, ["checkout.demand.type: missing; expected gauge"], id="no type"),
        pytest.param({"typ": "gauge"}, ['checkout.demand.typ: unknown key "typ"; did you mean "type"?'], id="near to type"),
        pytest.param({"type": 5}, ["checkout.demand.type: expected gauge, got 5"], id="type is not a name"),
        pytest.param(
            {"type": "guage"}, ['checkout.demand.type: unknown demand source "guage"; did you mean "gauge"?'], id="near miss"
        ),
        pytest.param(
            {"type": "kafka"}, ['checkout.demand.type: unknown demand source "kafka"; expected gauge'], id="nothing near"
        ),
        pytest.param(
            {"type": "gauge", "evry": 1, "tag": []},
            [
                'checkout.demand.evry: unknown key "evry"; did you mean "every"?',
                'checkout.demand.tag: unknown key "tag"; did you mean "tags"?',
            ],
            id="two unknown keys",
        ),
        pytest.param({"type": "gauge", 5: 1}, ["checkout.demand: expected text as a key, got 5"], id="a key that is no text"),
        pytest.param(
            {"type": "gauge", "every": "0s"},
            ['checkout.demand.every: expected a duration above 0 such as 5s or 300ms, got "0s"'],
            id="unit and bound",
        ),
        pytest.param(
            {"type": "gauge", "gain": -1}, ["checkout.demand.gain: expected a number above 0, got -1"], id="bound of an optional"
        ),
        pytest.param(
            {"type": "gauge", "times": True}, ["checkout.demand.times: expected a whole number, got true"], id="flag for number"
        ),
        pytest.param(
            {"type": "gauge", "strict": "yes"}, ['checkout.demand.strict: expected true or false, got "yes"'], id="word for flag"
        ),
        pytest.param({"type": "gauge", "list": 5}, ["checkout.demand.list: expected text, got 5"], id="number for text"),
        pytest.param(
            {"type": "gauge", "kind": "stem"}, ['checkout.demand.kind: expected water or steam, got "stem"'], id="no such word"
        ),
        pytest.param({"type": "gauge", "file": ""}, ['checkout.demand.file: expected a path, got ""'], id="empty path"),
        pytest.param(
            {"type": "gauge", "tags": ["a", 1, None]},
            [
                "checkout.demand.tags[1]: expected text, got 1",
                "checkout.demand.tags[2]: expected text, got nothing",
            ],
            id="every wrong item",
        ),
        pytest.param(
            {"type": "gauge", "tags": "a"}, ["checkout.demand.tags: expected a list, each item text, got text"], id="not a list"
        ),
        pytest.param(
            {"type": "gauge", "span": [1]},
            ["checkout.demand.span: expected a list of 2: a whole number, a number, got a list of 1"],
            id="too short",
        ),
        pytest.param(
            {"type": "gauge", "span": 1},
            ["checkout.demand.span: expected a list of 2: a whole number, a number, got 1"],
            id="not a pair",
        ),
        pytest.param(
            {"type": "gauge", "span": ["a", "b"]},
            [
                'checkout.demand.span[0]: expected a whole number, got "a"',
                'checkout.demand.span[1]: expected a number, got "b"',
            ],
            id="both of a pair",
        ),
        pytest.param(
            {"type": "gauge", "rates": {"a b": "x", 5: 1}},
            [
                'checkout.demand.rates."a b": expected a number, got "x"',
                "checkout.demand.rates: expected text as a key, got 5",
            ],
            id="within a mapping",
        ),
        pytest.param(
            {"type": "gauge", "rates": []},
            ["checkout.demand.rates: expected a mapping of names, each to a number, got a list"],
            id="not a mapping of rates",
        ),
        pytest.param(
            {"type": "gauge", "target": "later"},
            ['checkout.demand.target: expected a duration above 0 such as 5s or 300ms or never, got "later"'],
            id="none of two types",
        ),
        pytest.param(
            {"type": "gauge", "clock": 5},
            [
                'checkout.demand.clock: unknown key "clock"; expected type, '
                + ", ".join(name.removesuffix("_") for name in (*GIVEN, "headers", "password"))
            ],
            id="what no text can give",
        ),
    ],
)  # fmt: skip
def test_every_fault_of_a_section_has_its_place(section: object, faults: list[str]) -> None:
    assert faults_of(SOURCES, section) == faults


def test_a_missing_option_is_told_with_what_it_should_be() -> None:
    assert faults_of(WISHES, {"type": "steady"}) == ["checkout.demand.count: missing; expected a whole number"]


def test_a_dataclass_and_a_class_without_options_are_plugins() -> None:
    assert spec_of(WISHES, {"type": "steady", "count": 3}).make() == Steady(3)
    assert isinstance(spec_of(WISHES, {"type": "bare"}).make(), Bare)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        pytest.param({"times": 10}, "checkout.demand.times: expected 9 or fewer, got 10", id="option"),
        pytest.param({"list": "cursed"}, "checkout.demand.list: expected another name, got 'cursed'", id="by its key"),
        pytest.param({"strict": True}, "checkout.demand: expected tags, since it is strict", id="options together"),
        pytest.param(
            {"file": "/burst.csv"},
            "checkout.demand: can't open /burst.csv: No such file or directory",
            id="operating system",
        ),
    ],
)
def test_what_the_constructor_refuses_gets_its_place(options: Mapping[str, object], fault: str) -> None:
    spec = spec_of(SOURCES, {"type": "gauge", **options})
    with pytest.raises(ConfigError, match=f"^{re.escape(fault)}$"):
        spec.make()


def test_the_program_gives_what_a_plugin_takes() -> None:
    def clock() -> float:
        return 5.0

    assert spec_of(SOURCES, {"type": "gauge"}).make(clock=clock, deployment="shop").clock is clock


def test_specs_are_equal_when_they_would_make_the_same() -> None:
    def spec(**options: object) -> PluginSpec[Any]:
        return spec_of(SOURCES, {"type": "gauge", **options})

    assert spec(every="1s", password="env:A") == spec(every=1.0, password="env:A")
    assert spec(every="1s") != spec(every="2s")
    assert spec(password="env:A") != spec(password="env:B")


def test_secrets_are_fetched_when_the_plugin_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    options = {"password": "env:GAUGE_PASSWORD", "headers": {"token": "file:token"}}
    spec = spec_of(SOURCES, {"type": "gauge", **options}, str(tmp_path / "beaufort.yaml"))
    monkeypatch.setenv("GAUGE_PASSWORD", "hunter2")
    made = spec.make()
    assert isinstance(made.password, Secret)
    assert made.password.reveal() == "hunter2"
    assert made.headers["token"].reveal() == "s3cret"
    assert not re.search("hunter2|s3cret", f"{spec} {made.password} {made.headers}")


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        pytest.param(
            "env:GAUGE_NOT_SET", "expected the environment variable GAUGE_NOT_SET, which is not set", id="env"
        ),
        pytest.param("file:none", "expected a readable file, got none: No such file or directory", id="no file"),
        pytest.param("file:bytes", "expected a file of text in UTF-8, got other bytes in bytes", id="no text"),
        pytest.param("file:a\0b", "expected a readable file, got a\0b: embedded null byte", id="no name of a file"),
    ],
)
def test_a_secret_that_is_not_there_is_a_fault_with_its_place(reference: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff")
    spec = spec_of(SOURCES, {"type": "gauge", "password": reference}, str(tmp_path / "b.yaml"))
    with pytest.raises(ConfigError, match=re.escape(f": checkout.demand.password: {fault}") + "$"):
        spec.make()


@pytest.mark.parametrize("written", ["hunter2", 12345, "env:", "env:A-B", "vault:hunter2", ["hunter2"]])
def test_a_secret_given_as_text_is_refused_and_not_repeated(written: object) -> None:
    expected = "expected a reference to a secret such as env:NAME or file:/path, got something else (not shown)"
    assert faults_of(SOURCES, {"type": "gauge", "password": written}) == [f"checkout.demand.password: {expected}"]


def test_what_the_program_supplies_is_no_option() -> None:
    assert faults_of(SCHEDULERS, {"type": "local", "deployment": "shop"}) == [
        'checkout.demand.deployment: unknown key "deployment"; expected type, directory'
    ]


def test_the_built_in_plugins_are_found() -> None:
    assert POLICIES.find("remainder") is Remainder
    assert DEMAND.find("push") is Push
    assert {"local", "simulated"} <= set(SCHEDULERS.names())


NEEDY = "import no_such_library\n"
BROKEN = "raise RuntimeError('out of order')\n"


@pytest.fixture
def outsiders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution ``far-shop`` with entry points, as pip leaves one."""
    (tmp_path / "needy.py").write_text(NEEDY)
    (tmp_path / "broken.py").write_text(BROKEN)
    info = tmp_path / "far_shop-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: far-shop\nVersion: 1.0\n")
    points = "".join(
        f"{name} = {target}\n"
        for name, target in {
            "far-gauge": "stranger:Gauge",
            "needy": "needy:Needy",
            "broken": "broken:Broken",
            "absent": "stranger:Absent",
        }.items()
    )
    (info / "entry_points.txt").write_text(f"[beaufort.demand]\n{points}")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("outsiders")
def test_an_outsider_registers_by_entry_point() -> None:
    assert DEMAND.find("far-gauge") is Gauge
    assert "far-gauge" in DEMAND.names()
    assert "far-gauge" not in POLICIES.names()
    assert faults_of(DEMAND, {"type": "far-guage"}) == [
        'checkout.demand.type: unknown demand source "far-guage"; did you mean "far-gauge"?'
    ]


@pytest.mark.usefixtures("outsiders")
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        pytest.param("needy", 'the demand source "needy" needs no_such_library, not installed: see how far-shop is installed', id="library"),
        pytest.param("broken", "the demand source \"broken\" can't be imported from broken:Broken: RuntimeError('out of order')", id="raises"),
        pytest.param(
            "absent",
            "the demand source \"absent\" can't be imported from stranger:Absent:"
            " AttributeError(\"module 'stranger' has no attribute 'Absent'\")",
            id="no such class",
        ),
    ],
)  # fmt: skip
def test_a_plugin_that_cannot_be_imported_is_a_fault(name: str, fault: str) -> None:
    assert faults_of(DEMAND, {"type": name}) == [f"checkout.demand.type: {fault}"]


@pytest.mark.usefixtures("outsiders")
def test_a_built_in_plugin_says_which_extra_it_needs() -> None:
    registry: Registry[DemandSource] = Registry("demand source", "no.outsiders", {"redis": "needy:Needy"})
    needs = 'the demand source "redis" needs no_such_library, not installed: pip install "beaufort[redis]"'
    assert faults_of(registry, {"type": "redis"}) == [f"checkout.demand.type: {needs}"]
    [section] = registry.schema()["oneOf"]
    assert section["properties"] == {"type": {"const": "redis"}}
    assert section["description"] == needs


def test_the_schema_of_a_section_is_that_of_the_signature() -> None:
    [section] = SOURCES.schema()["oneOf"]
    assert section["description"] == "Reads a gauge."
    assert section["required"] == ["type"]
    assert section["additionalProperties"] is False
    properties = section["properties"]
    assert properties["file"]["description"] == "where it is."
    assert properties["kind"] == {"enum": ["water", "steam"], "default": "water"}
    assert properties["every"]["anyOf"][0] == {"type": "number", "minimum": 0, "exclusiveMinimum": 0}
    assert properties["every"]["default"] == 1.0
    assert "clock" not in properties


def test_no_plugin_is_imported_before_it_is_used() -> None:
    light = (
        "import sys, beaufort.config, beaufort.schema;"
        "print(sorted({'numpy', 'structlog', 'redis', 'rich', 'typer', 'asyncio', 'importlib.metadata'} & set(sys.modules)),"
        " [name for name in sys.modules if name.startswith(('beaufort.demand', 'beaufort.schedulers', 'beaufort.policies'))])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", light], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert printed == "[] []\n"
