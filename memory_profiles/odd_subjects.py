"""Subjects with which a measurement cannot succeed."""

from __future__ import annotations

import copy
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from objstream_conformance.adapters.reference import ReferenceAdapter, ReferenceSite
from objstream_conformance.contract import Description, Network
from objstream_conformance.profile.subjects import ReferenceEndpoint, ReferenceSubject


class Deaf:
    """An adapter with neither sites nor a way to listen."""

    def describe(self) -> Description:
        return ReferenceSubject().describe()


class Dead(ReferenceSubject):
    def listen(self, url: str, directory: Path, chunk: int) -> ReferenceEndpoint:
        raise RuntimeError("nobody at home")


class Sparse(ReferenceSubject):
    def describe(self) -> Description:
        return replace(super().describe(), name="sparse", capabilities=frozenset({"container", "pull"}))


class FailingEndpoint(ReferenceEndpoint):
    def retrieve_container(self, peer: str, name: str, *, timeout: float, into: Any = None) -> object:
        if name == "object":
            raise RuntimeError("not today")
        return super().retrieve_container(peer, name, timeout=timeout, into=into)


class Failing(ReferenceSubject):
    endpoint = FailingEndpoint


class VanishingEndpoint(ReferenceEndpoint):
    def retrieve_container(self, peer: str, name: str, *, timeout: float, into: Any = None) -> object:
        os._exit(7)


class Vanishing(ReferenceSubject):
    endpoint = VanishingEndpoint


class LyingEndpoint(ReferenceEndpoint):
    def retrieve_container(self, peer: str, name: str, *, timeout: float, into: Any = None) -> object:
        result: Any = super().retrieve_container(peer, name, timeout=timeout, into=into)
        for array in result.values():
            array[0] += 1
        return result


class Lying(ReferenceSubject):
    """What it returns is not what was sent."""

    endpoint = LyingEndpoint


class CarelessEndpoint(ReferenceEndpoint):
    def retrieve_container(self, peer: str, name: str, *, timeout: float, into: Any = None) -> object:
        try:
            return super().retrieve_container(peer, name, timeout=timeout, into=into)
        except Exception:
            return {}


class Careless(ReferenceSubject):
    """It knows no failure."""

    endpoint = CarelessEndpoint


class PatientEndpoint(ReferenceEndpoint):
    def retrieve_container(self, peer: str, name: str, *, timeout: float, into: Any = None) -> object:
        try:
            return super().retrieve_container(peer, name, timeout=timeout, into=into)
        except Exception:
            return threading.Event().wait()


class Patient(ReferenceSubject):
    """What failed is waited for, without end."""

    endpoint = PatientEndpoint


class Hoarding(ReferenceAdapter):
    """An adapter without a way to listen, one of whose sites keeps a copy of what it retrieves."""

    def site(self, name: str, network: Network, directory: Path) -> ReferenceSite:
        site = super().site(name, network, directory)
        retrieve = site.retrieve_container

        def hoarding(peer: str, name: str, **options: Any) -> object:
            result = retrieve(peer, name, **options)
            self.copy = copy.deepcopy(result)
            return result

        site.retrieve_container = hoarding  # type: ignore[method-assign]
        return site
