"""Quantities: what may be written, what is refused, and in which words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaufort.quantity import (
    NUMBER,
    WHOLE,
    Above,
    AtLeast,
    Between,
    Bound,
    Bytes,
    Cores,
    Seconds,
    Secret,
    Share,
    Unit,
    shown,
)


def unit(alias: Any) -> Unit:
    found = get_args(alias)[1]
    assert isinstance(found, Unit)
    return found


SECONDS, BYTES, CORES, SHARE = (unit(alias) for alias in (Seconds, Bytes, Cores, Share))


@pytest.mark.parametrize(
    ("of", "written", "number"),
    [
        pytest.param(SECONDS, "5s", 5, id="seconds"),
        pytest.param(SECONDS, "300ms", 0.3, id="milliseconds"),
        pytest.param(SECONDS, "2m", 120, id="minutes"),
        pytest.param(SECONDS, "1.5 h", 5400, id="hours, with a space"),
        pytest.param(SECONDS, "1d", 86400, id="days"),
        pytest.param(SECONDS, " .5s ", 0.5, id="no digit before the point"),
        pytest.param(SECONDS, 7, 7, id="a whole number of seconds"),
        pytest.param(SECONDS, 0.25, 0.25, id="a number of seconds"),
        pytest.param(SECONDS, "7", 7, id="a number of seconds as text"),
        pytest.param(BYTES, "256MiB", 256 * 1024**2, id="binary"),
        pytest.param(BYTES, "16GB", 16 * 1000**3, id="decimal"),
        pytest.param(BYTES, "1.5 GiB", 3 * 1024**3 // 2, id="a part, with a space"),
        pytest.param(BYTES, "2Gi", 2 * 1024**3, id="as Kubernetes writes it"),
        pytest.param(BYTES, "1kB", 1000, id="kilobytes"),
        pytest.param(BYTES, "10B", 10, id="bytes"),
        pytest.param(BYTES, 268435456, 268435456, id="a number of bytes"),
        pytest.param(CORES, 0.5, 0.5, id="cores"),
        pytest.param(CORES, "500m", 0.5, id="thousandths of a core"),
        pytest.param(CORES, "2", 2, id="cores as text"),
        pytest.param(SHARE, "50%", 0.5, id="percent"),
        pytest.param(SHARE, "35 %", 0.35, id="percent that 0.01 would round"),
        pytest.param(SHARE, "200%", 2, id="percent above the whole"),
        pytest.param(SHARE, 0.1, 0.1, id="share"),
        pytest.param(NUMBER, -3, -3, id="plain number"),
        pytest.param(WHOLE, 4.0, 4, id="whole number with a point"),
    ],
)
def test_what_may_be_written(of: Unit, written: object, number: float) -> None:
    assert of.parse(written) == number
    jsonschema.validate(written, of.schema())


@pytest.mark.parametrize(
    ("of", "written", "bounds", "message"),
    [
        pytest.param(
            SECONDS,
            "5 lightyears",
            [],
            'expected a duration such as 5s or 300ms, got "5 lightyears"',
            id="unknown unit",
        ),
        pytest.param(SECONDS, "-5s", [], 'expected a duration such as 5s or 300ms, got "-5s"', id="negative text"),
        pytest.param(SECONDS, -5, [], "expected a duration such as 5s or 300ms, got -5", id="negative number"),
        pytest.param(SECONDS, "12:30", [], 'expected a duration such as 5s or 300ms, got "12:30"', id="clock"),
        pytest.param(SECONDS, True, [], "expected a duration such as 5s or 300ms, got true", id="boolean"),
        pytest.param(SECONDS, None, [], "expected a duration such as 5s or 300ms, got nothing", id="nothing"),
        pytest.param(SECONDS, math.nan, [], "expected a duration such as 5s or 300ms, got nan", id="not a number"),
        pytest.param(SECONDS, math.inf, [], "expected a duration such as 5s or 300ms, got inf", id="infinity"),
        pytest.param(
            SECONDS, "0s", [Above(0)], 'expected a duration above 0 such as 5s or 300ms, got "0s"', id="bound"
        ),
        pytest.param(
            BYTES,
            "9" * 400 + "GiB",
            [],
            f'expected an amount of memory such as 256MiB or 16GB, got "{"9" * 60}..."',
            id="beyond every number",
        ),
        pytest.param(
            BYTES, "5 mb", [], 'expected an amount of memory such as 256MiB or 16GB, got "5 mb"', id="millibits"
        ),
        pytest.param(CORES, "10 MB", [], 'expected cores such as 0.5 or 500m, got "10 MB"', id="memory for cores"),
        pytest.param(SHARE, 50, [], "expected a share such as 0.5 or 50%, got 50", id="a forgotten percent sign"),
        pytest.param(SHARE, "50", [], 'expected a share such as 0.5 or 50%, got "50"', id="the same as text"),
        pytest.param(NUMBER, "ten", [Above(0)], 'expected a number above 0, got "ten"', id="word"),
        pytest.param(NUMBER, "10", [], 'expected a number, got "10"', id="a plain number in quotes"),
        pytest.param(NUMBER, 2, [Between(0, 1)], "expected a number between 0 and 1, got 2", id="out of range"),
        pytest.param(NUMBER, [1], [], "expected a number, got a list", id="list"),
        pytest.param(NUMBER, {}, [], "expected a number, got a mapping", id="mapping"),
        pytest.param(NUMBER, {1}, [], "expected a number, got a Python set", id="neither"),
        pytest.param(WHOLE, 1.5, [], "expected a whole number, got 1.5", id="part of a whole"),
        pytest.param(WHOLE, 0, [AtLeast(1)], "expected a whole number of 1 or more, got 0", id="below the least"),
        pytest.param(WHOLE, 10**5000, [], "expected a whole number, got a number too large to count with", id="vast"),
    ],
)
def test_what_is_refused(of: Unit, written: object, bounds: Sequence[Bound], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        of.parse(written, bounds)


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.text("0123456789.msMGiB% ")))
def test_a_reading_is_a_number_or_a_message(written: object) -> None:
    for of in (SECONDS, BYTES, CORES, SHARE, NUMBER, WHOLE):
        try:
            number = of.parse(written)
        except ValueError as error:
            assert str(error).startswith(f"expected {of.expected()}, got ")  # noqa: PT017 - either outcome is right
        else:
            assert math.isfinite(number)
            assert isinstance(number, int) or not of.whole
            jsonschema.validate(written, of.schema())


@pytest.mark.parametrize("bound", [Above(1), AtLeast(1), Between(1, 2)], ids=str)
@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_a_bound_and_its_schema_say_the_same(bound: Bound, number: float) -> None:
    valid = jsonschema.Draft202012Validator(bound.schema()).is_valid(number)
    assert valid == bound.admits(number)


def test_a_secret_is_shown_only_when_it_is_revealed() -> None:
    secret = Secret("hunter2", "env:PASSWORD")
    assert secret.reveal() == "hunter2"
    assert f"{secret} {secret!r} {[secret]}" == "Secret(env:PASSWORD) Secret(env:PASSWORD) [Secret(env:PASSWORD)]"


def test_text_in_a_message_is_quoted_and_has_an_end() -> None:
    assert shown('say "so"\n') == r'"say \"so\"\n"'
    assert len(shown("x" * 1000)) < 70
