"""Constraints: what each operator allows, and what is not one."""

from __future__ import annotations

import numpy as np
import pytest

from beaufort.constraints import Column, Constraint

ZONES = Column.of("zone", [{"zone": "a"}, {"zone": "b"}, {"zone": "a"}, {}, {"zone": "c"}])
"""Five nodes, in the zones a, b, a, none and c."""


@pytest.mark.parametrize(
    ("text", "counts", "allowed"),
    [
        pytest.param("zone UNIQUE", [0, 1, 0], "a.a.c", id="unique"),
        pytest.param("zone MAX_PER 2", [2, 1, 0], ".b..c", id="max per"),
        pytest.param("zone CLUSTER", [0, 0, 0], "aba.c", id="cluster: the first may choose"),
        pytest.param("zone CLUSTER", [0, 1, 0], ".b...", id="cluster: the others follow"),
        pytest.param("zone CLUSTER c", [0, 0, 0], "....c", id="cluster: a value"),
        pytest.param("zone GROUP_BY", [1, 1, 0], "....c", id="group by: where the fewest are"),
        pytest.param("zone GROUP_BY", [1, 1, 1], "aba.c", id="group by: all alike"),
        pytest.param("zone GROUP_BY 4", [1, 0, 1], ".b...", id="group by: a fourth value may come"),
        pytest.param("zone GROUP_BY 4", [1, 1, 1], ".....", id="group by: and is waited for"),
        pytest.param("zone LIKE a|c", [0, 0, 0], "a.a.c", id="like"),
        pytest.param("zone UNLIKE a", [0, 0, 0], ".b.-c", id="unlike: also where there is none"),
    ],
)
def test_what_is_allowed(text: str, counts: list[int], allowed: str) -> None:
    constraint = Constraint.parse(text)
    found = constraint.allows(ZONES, np.array(counts))
    names = ["a", "b", "a", "-", "c"]
    assert "".join(name if here else "." for name, here in zip(names, found, strict=True)) == allowed
    assert str(constraint) == text


def test_an_attribute_that_no_node_has() -> None:
    column = Column.of("rack", [{}, {}])
    assert not Constraint.parse("rack GROUP_BY").allows(column, np.array([], dtype=np.int64)).any()
    assert Constraint.parse("rack UNLIKE x").allows(column, np.array([], dtype=np.int64)).all()


def test_running_ones_are_counted_by_value() -> None:
    assert ZONES.count(np.array([1, 2, 3, 4, 0])).tolist() == [4, 2, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("zone", 'expected a constraint such as "zone LIKE a|b"', id="no operator"),
        pytest.param("zone like a", 'got "zone like a"', id="small letters"),
        pytest.param("zone UNIQUE a", 'expected nothing after UNIQUE, got "a"', id="unique"),
        pytest.param("zone MAX_PER", "expected a number above 0 after MAX_PER, got nothing", id="no number"),
        pytest.param("zone MAX_PER 0", 'got "0"', id="zero"),
        pytest.param("zone GROUP_BY many", "expected a number above 0 after GROUP_BY", id="a word"),
        pytest.param("zone LIKE", "expected a regular expression after LIKE, got nothing", id="no expression"),
        pytest.param("zone UNLIKE (", "expected a regular expression after UNLIKE", id="a wrong expression"),
    ],
)
def test_what_is_none(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r".*") as caught:
        Constraint.parse(text)
    assert words in str(caught.value)
