"""The schema `osp.cddl`: held against items by a matcher of the part of CDDL (RFC 8610) that it uses."""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import Any

from .cbor import Node
from .registry import spec_path

_TOKEN = re.compile(r'"[^"]*"|=>|\.\.|\.size|\.regexp|#6\.\d+|-?\d+|[A-Za-z][\w-]*|[\[\]{}()/,:=*+?]')


class Grammar:
    """The rules of a schema, and `match(rule, item)`."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = _TOKEN.findall(re.sub(r";[^\n]*", "", text))
        self.at = 0
        self.rules: dict[str, Any] = {}
        while self.at < len(self.tokens):
            name = self.take()
            assert self.take() == "=", name
            assert name not in self.rules, name
            self.rules[name] = self.choice()

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def see(self, *expected: str) -> bool:
        if self.tokens[self.at : self.at + 1] and self.tokens[self.at] in expected:
            self.at += 1
            return True
        return False

    def choice(self) -> Any:
        alternatives = [self.type()]
        while self.see("/"):
            alternatives.append(self.type())
        return ("choice", alternatives)

    def type(self) -> Any:
        token = self.take()
        if token == "(":
            inner = self.choice()
            assert self.take() == ")"
        elif token == "[":
            inner = ("array", self.group("]"))
        elif token == "{":
            inner = ("map", self.group("}"))
        elif token.startswith("#6."):
            assert self.take() == "("
            inner = ("tag", int(token[3:]), self.choice())
            assert self.take() == ")"
        elif token[0] == '"':
            inner = ("text", token[1:-1])
        elif re.fullmatch(r"-?\d+", token):
            inner = ("range", int(token), int(self.take() if self.see("..") else token))
        else:
            inner = ("name", token)
        if self.see(".size"):
            return ("size", inner, self.type())
        if self.see(".regexp"):
            return ("regexp", inner, self.take()[1:-1])
        return inner

    def group(self, end: str) -> list[Any]:
        """Members as (least, most, key, type); the key is None in arrays."""
        members = []
        while not self.see(end):
            least, most = 1, 1
            for sign, bounds in (("*", (0, 1 << 62)), ("+", (1, 1 << 62)), ("?", (0, 1))):
                if self.see(sign):
                    least, most = bounds
            key, kind = None, self.choice()
            if self.see("=>", ":"):
                key, kind = kind, self.choice()
            members.append((least, most, key if end == "}" else None, kind))
            self.see(",")
        return members

    # Python 3.12 has a fixed limit for calls that pass through C, and bound methods with `*` and `any` do so.

    def match(self, kind: Any, item: Node) -> bool:
        if isinstance(kind, str):
            kind = ("name", kind)
        return bool(getattr(Grammar, f"_{kind[0]}")(self, item, *kind[1:]))

    def _choice(self, item: Node, alternatives: list[Any]) -> bool:
        for one in alternatives:  # noqa: SIM110
            if self.match(one, item):
                return True
        return False

    def _name(self, item: Node, name: str) -> bool:
        if name in self.rules:
            return self.match(self.rules[name], item)
        simple = {"null": (22,), "bool": (20, 21)}
        if name in simple:
            return item.major == 7 and item.inner < 24 and item.value in simple[name]
        if name == "any":
            return True
        if name == "float64":
            return item.major == 7 and item.inner == 27
        return item.major in {"uint": (0,), "int": (0, 1), "bstr": (2,), "tstr": (3,)}[name]

    def _text(self, item: Node, value: str) -> bool:
        return item.major == 3 and item.value == value

    def _range(self, item: Node, low: int, high: int) -> bool:
        return item.major in (0, 1) and low <= item.value <= high

    def _tag(self, item: Node, number: int, kind: Any) -> bool:
        return item.major == 6 and item.value == number and self.match(kind, item.inner)

    def _size(self, item: Node, kind: Any, size: Any) -> bool:
        if not self.match(kind, item):
            return False
        length = len(item.value if item.major == 2 else item.value.encode())
        return self.match(size, Node(0, length))

    def _regexp(self, item: Node, kind: Any, pattern: str) -> bool:
        return self.match(kind, item) and re.fullmatch(pattern, item.value) is not None

    def _array(self, item: Node, members: list[Any]) -> bool:
        if item.major != 4:
            return False
        rest = list(item.value)
        for least, most, _, kind in members:
            count = 0
            while rest and count < most and self.match(kind, rest[0]):
                rest.pop(0)
                count += 1
            if count < least:
                return False
        return not rest

    def _map(self, item: Node, members: list[Any]) -> bool:
        if item.major != 5:
            return False
        rest = list(item.value)
        for least, most, key, kind in members:
            named = [pair for pair in rest if self.match(key, pair[0])]
            good = [pair for pair in named if self.match(kind, pair[1])]
            if not least <= len(good) <= most or (most == 1 and good != named):
                return False
            rest = [pair for pair in rest if pair not in good]
        return not rest


@cache
def schema() -> Grammar:
    """The grammar of `osp.cddl`."""
    return Grammar(spec_path().joinpath("osp.cddl").read_text("utf-8"))


def fits(rule: str, item: Node) -> bool:
    """Whether an item matches a rule of `osp.cddl`; values of 128 levels need more room than Python gives."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20 * limit)
    try:
        return schema().match(rule, item)
    finally:
        sys.setrecursionlimit(limit)
