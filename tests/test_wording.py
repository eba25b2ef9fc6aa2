"""Numbers in words."""

from __future__ import annotations

import pytest

from beaufort.wording import amount, counted, figure, listed


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param(0.0, "0", id="nothing"),
        pytest.param(30.0, "30", id="whole"),
        pytest.param(4.83625, "4.84", id="long"),
        pytest.param(0.000123456, "0.000123", id="small"),
        pytest.param(99.96, "100", id="nearly a hundred"),
        pytest.param(999.6, "1000", id="nearly a thousand"),
        pytest.param(1234567.8, "1234568", id="large"),
        pytest.param(-4.83625, "-4.84", id="negative"),
        pytest.param(1e300, "1e+300", id="larger than anybody reads"),
    ],
)
def test_a_figure_is_as_long_as_people_read(value: float, words: str) -> None:
    assert figure(value) == words


def test_one_has_no_plural() -> None:
    assert [counted(count, "service") for count in (0, 1, 2)] == ["0 services", "1 service", "2 services"]


@pytest.mark.parametrize(
    ("resource", "value", "words"),
    [
        pytest.param("memory", 8 * 2.0**30, "8 GiB", id="memory"),
        pytest.param("memory", 700 * 2.0**20, "700 MiB", id="less memory"),
        pytest.param("memory", 0.0, "0", id="no memory"),
        pytest.param("cpu", 0.30000000000000004, "0.3", id="cpu"),
    ],
)
def test_memory_is_told_in_its_own_units(resource: str, value: float, words: str) -> None:
    assert amount(resource, value) == words


def test_of_many_names_the_first_are_told() -> None:
    assert listed(["a", "b", "c"], 3) == "a, b, c"
    assert listed(["a", "b", "c"], 1) == "a and 2 more"
