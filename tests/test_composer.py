"""YAML: what scalars are, and where the composer says that something is wrong."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaufort.protocols import ConfigError
from beaufort.reading.composer import compose, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("yes", "yes", id="yes is a word"),
        pytest.param("off", "off", id="off is a word"),
        pytest.param("True", True, id="true"),
        pytest.param("false", False, id="false"),
        pytest.param("010", 10, id="no octal by a zero"),
        pytest.param("0o10", 8, id="octal"),
        pytest.param("0x1F", 31, id="hexadecimal"),
        pytest.param("1_000", "1_000", id="no underscores in numbers"),
        pytest.param("12:30", "12:30", id="no base sixty"),
        pytest.param("2026-01-01", "2026-01-01", id="no dates"),
        pytest.param("-7", -7, id="negative"),
        pytest.param("1e3", 1000.0, id="exponent"),
        pytest.param(".5", 0.5, id="no digit before the point"),
        pytest.param("-.inf", -math.inf, id="infinity"),
        pytest.param("1.4.2", "1.4.2", id="version"),
        pytest.param("~", None, id="null"),
        pytest.param("", None, id="empty"),
        pytest.param("'5'", "5", id="in quotes"),
        pytest.param("!!str 5", "5", id="said to be text"),
        pytest.param("! 5", "5", id="said not to be plain"),
        pytest.param("!!int 5", 5, id="said to be what it is"),
        pytest.param("9" * 400, math.inf, id="beyond every number"),
        pytest.param("[1, [a], {b: c}]", [1, ["a"], {"b": "c"}], id="flow"),
        pytest.param("- &a {b: 1}\n- *a", [{"b": 1}, {"b": 1}], id="alias"),
        pytest.param(
            "a: &x {b: 1, c: 1}\nd: {<<: *x, b: 2}", {"a": {"b": 1, "c": 1}, "d": {"b": 2, "c": 1}}, id="merge"
        ),
        pytest.param("<<: [{a: 1}, {a: 2, b: 2}]", {"a": 1, "b": 2}, id="merge of several"),
        pytest.param("&k a: 1\nb: *k", {"a": 1, "b": "a"}, id="anchor at a key"),
    ],
)
def test_what_a_text_means(text: str, value: object) -> None:
    document = compose(text, "a.yaml")
    assert document.faults == ()
    assert document.data == value
    assert type(document.data) is type(value)


def test_not_a_number_is_read_as_such() -> None:
    assert math.isnan(compose(".nan", "a.yaml").data)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        pytest.param(
            "a: [1,\n  2",
            ["a.yaml:3:1: YAML syntax: did not find expected ',' or ']' while parsing a flow sequence, which began in line 1"],
            id="open bracket",
        ),
        pytest.param(
            "a: b: c",
            ['a.yaml:1:5: YAML syntax: unexpected ":"; check the indentation, or put a text that holds ": " in quotes'],
            id="colon",
        ),
        pytest.param(
            "a: - b", ["a.yaml:1:4: YAML syntax: block sequence entries are not allowed in this context"], id="dash"
        ),
        pytest.param("a:\n\tb: 1", ["a.yaml:2:1: YAML syntax: a tab can't indent; use spaces"], id="tab"),
        pytest.param(
            "a: b\nc: @d",
            ["a.yaml:2:4: YAML syntax: a value can't begin with @ unless it is in quotes"],
            id="at sign",
        ),
        pytest.param(
            "a: 'b",
            ["a.yaml:1:6: YAML syntax: found unexpected end of stream while scanning a quoted scalar, which began in line 1"],
            id="open quote",
        ),
        pytest.param(
            "a: 1\nb: \x01", ["a.yaml:2:4: YAML syntax: expected printable text, got a control character"], id="control"
        ),
        pytest.param(
            "a: {b: 1}\na: {b: 2, b: 3}\nc: 'd",
            [
                "a.yaml:2:11: a.b: duplicate key, first given in line 2",
                "a.yaml:2:1: a: duplicate key, first given in line 1",
                (
                    "a.yaml:3:6: YAML syntax: found unexpected end of stream while scanning a quoted scalar,"
                    " which began in line 3"
                ),
            ],
            id="what was wrong before the syntax",
        ),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_told_with_line_and_column(text: str, faults: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        compose(text, "a.yaml")
    assert list(error.value.faults) == faults


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        pytest.param(
            "services:\n  a: {}\n  b: {}\n  a: {}",
            ["a.yaml:4:3: a: duplicate service, first given in line 2"],
            id="service",
        ),
        pytest.param(
            "services: {a: {min: 1,\n min: 2}}", ["a.yaml:2:2: a.min: duplicate key, first given in line 1"], id="key"
        ),
        pytest.param("5: a", ['a.yaml:1:1: expected text as a key, got 5; put it in quotes: "5"'], id="number as key"),
        pytest.param(
            "a:\n  true: b",
            ['a.yaml:2:3: a: expected text as a key, got true; put it in quotes: "true"'],
            id="flag as key",
        ),
        pytest.param("? [a]\n: b", ["a.yaml:1:3: expected text as a key, got a list"], id="list as key"),
        pytest.param("?\n: b", ["a.yaml:1:2: expected text as a key, got nothing"], id="nothing as key"),
        pytest.param(
            "a: *b",
            ["a.yaml:1:4: a: this alias refers to nothing; put a text that begins with * in quotes"],
            id="alias to nothing",
        ),
        pytest.param(
            "a: &b [*b]", ["a.yaml:1:8: a[0]: this alias refers to what it is a part of"], id="alias to itself"
        ),
        pytest.param(
            "a: !!python/none b", ["a.yaml:1:4: a: unknown tag; put a text that begins with ! in quotes"], id="tag"
        ),
        pytest.param(
            "<<: [5, {a: 1}]", ['a.yaml:1:6: "<<": expected a mapping to merge, got 5'], id="merge of a number"
        ),
        pytest.param(
            "a: 1\n---\nb: 1", ["a.yaml:2:1: expected one document in the file, got another"], id="two documents"
        ),
    ],
)
def test_what_yaml_allows_and_we_do_not(text: str, faults: list[str]) -> None:
    assert [fault.text for fault in compose(text, "a.yaml").faults] == faults


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_nesting_has_an_end(opening: str) -> None:
    with pytest.raises(ConfigError, match="expected at most 60 levels of nesting, got more"):
        compose(opening * 100_000, "a.yaml")


@given(st.text("ab:-?[]{}&*!|>'\"#%@`, \n\t<~015.") | st.text())
def test_any_text_is_a_document_or_has_faults_with_their_place(text: str) -> None:
    try:
        faults = [fault.text for fault in compose(text, "a.yaml").faults]
    except ConfigError as error:
        faults = list(error.faults)
    assert all(fault.startswith("a.yaml:") for fault in faults)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(None, "can't be read: No such file or directory", id="absent"),
        pytest.param(b"a: 1\nb: \xff", ":2:4: expected text in UTF-8, got other bytes", id="not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read(content: bytes | None, fault: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read(file)
    assert [told.removeprefix(str(file)).removeprefix(": ") for told in error.value.faults] == [fault]


def test_a_directory_and_an_impossible_name_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"can't be read: Is a directory$"):
        read(tmp_path)
    with pytest.raises(ConfigError, match=r'^"a\\u0000b": can.t be read: embedded null byte$'):
        read("a\0b")


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1")
    assert read(tmp_path / "a.yaml").data == {"a": 1}


def test_a_place_is_the_value_s_the_key_s_or_the_nearest_above() -> None:
    document = compose("services:\n  checkout:\n    min: 5\n", "a.yaml")
    assert document.position(("services", "checkout", "min")) == (3, 10)
    assert document.position(("services", "checkout", "min"), key=True) == (3, 5)
    assert document.position(("services", "checkout", "max")) == (2, 3)
    assert document.position(("capacity", "containers")) == (1, 1)
