"""Label selectors, as ``GET /v2/apps?label=`` takes them: ``a, b==1, c!=2, d in (x, y), e notin (z)``, all to hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from marathon_refusals import Refusal

__all__ = ["selector"]

Labels = Mapping[str, str]

WORD = r"(?:[-A-Za-z0-9_.]|\\.)+"
ONE = re.compile(
    rf"\s*(?P<key>{WORD})\s*"
    rf"(?:(?P<sign>==|!=)\s*(?P<value>{WORD})|(?P<set>in|notin)\s*\(\s*(?P<values>{WORD}(?:\s*,\s*{WORD})*)\s*\))?\s*(?:,|$)"
)


def selector(text: str) -> Callable[[Labels], bool]:
    """Raises Refusal. A character that is no letter, digit, ``-``, ``_`` or ``.`` is to be escaped by a backslash."""
    rules: list[Callable[[Labels], bool]] = []
    at = 0
    while at < len(text):
        match = ONE.match(text, at)
        if match is None:
            raise Refusal(422, f"Can not parse label selector {text}. Reason: unexpected {text[at:][:20]!r}")
        rules.append(_rule(match))
        at = match.end()
    return lambda labels: all(rule(labels) for rule in rules)


def _rule(match: re.Match[str]) -> Callable[[Labels], bool]:
    key = _plain(match["key"])
    if match["sign"] is None and match["set"] is None:
        return lambda labels: key in labels
    written = [match["value"]] if match["sign"] else re.findall(WORD, match["values"])
    values = {_plain(each) for each in written}
    wanted = match["sign"] == "==" or match["set"] == "in"
    return lambda labels: key in labels and (labels[key] in values) == wanted


def _plain(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word)
