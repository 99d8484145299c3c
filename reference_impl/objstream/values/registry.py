"""Application types: carried only when both sides registered them under the same name and version."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import Code, TransferError
from .hashables import MODEL

T = TypeVar("T")

MAX_NAME = 255
_NAME = re.compile(r"[A-Za-z0-9_.+/-]+@[0-9]{1,9}")


def is_type_name(name: str) -> bool:
    """Whether this has the form "name@version" of an application type."""
    return len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None


@dataclass(frozen=True)
class AppType:
    cls: type
    name: str
    encode: Callable[[Any], object]
    decode: Callable[[Any], object]

    def to_model(self, value: object) -> object:
        try:
            return self.encode(value)
        except TransferError:
            raise
        except Exception as error:
            raise TransferError(
                Code.SOURCE_FAILED, f"the encoder registered for {self.name} failed", local=repr(error)
            ) from error

    def from_model(self, value: object) -> object:
        try:
            result = self.decode(value)
        except TransferError:
            raise
        except Exception as error:
            raise TransferError(
                Code.STORE_FAILED, f"the decoder registered for {self.name} failed", local=repr(error)
            ) from error
        if type(result) is not self.cls:
            raise TransferError(
                Code.STORE_FAILED,
                f"the decoder registered for {self.name} made another type",
                local=type(result).__qualname__,
            )
        return result


class Registry:
    """The application types that one site carries (spec chapter "Values").

    No class or module is ever found by its name: a type that arrives is looked up here or refused.
    """

    def __init__(self) -> None:
        self._by_class: dict[type, AppType] = {}
        self._by_name: dict[str, AppType] = {}

    def register(
        self, cls: type[T], name: str, encode: Callable[[T], object], decode: Callable[[Any], T]
    ) -> None:
        """Carry instances of exactly `cls`.

        Args:
            cls: the class; instances of subclasses are not carried.
            name: "name@version", at most 255 characters; what both sides agree on.
            encode: makes a value of the model of an instance.
            decode: makes an instance of exactly `cls` of that value again. It gets data of a peer: check it.

        Raises:
            ValueError: the name is malformed, the class or the name is taken, or the class is one of the model.
        """
        if not is_type_name(name):
            raise ValueError(f"{name!r} does not have the form name@version")
        if cls in MODEL:
            raise ValueError(f"{cls.__qualname__} is in the value model already")
        if cls in self._by_class or name in self._by_name:
            raise ValueError(f"{cls.__qualname__} or {name} is registered already")
        self._by_class[cls] = self._by_name[name] = AppType(cls, name, encode, decode)

    def for_class(self, cls: type) -> AppType | None:
        return self._by_class.get(cls)

    def for_name(self, name: str) -> AppType | None:
        return self._by_name.get(name)
