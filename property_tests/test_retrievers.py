"""Sites and retrievers as a state machine: objects come and go, sites die and return, transfers run in between."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from objstream import (
    Code,
    ContainerAssembler,
    ContainerRetriever,
    ContainerStreamer,
    MemoryNetwork,
    MemorySite,
    Options,
    Outcome,
    Request,
    TransferError,
)
from objstream_conformance import strategies
from objstream_conformance.compare import difference
from objstream_conformance.network import Fault, Network

SITES = ("north", "south", "west")
NAMES = ("model", "Model", "weights/1", "")
CHUNK = 40
OPTIONS = Options(digests=("sha-256",), window=100, deadline=10.0)

ONE = st.sampled_from(SITES)
CONTAINERS = strategies.containers(large=False)
FAULTS = strategies.fault_plans(
    kinds=("drop", "duplicate", "reorder", "corrupt", "truncate", "extend", "replay"), most=2
)
DISTURBANCES = st.sampled_from(
    [
        "nothing",
        "nothing",
        "replace",
        "remove",
        "change",
        "cancel owner",
        "cancel requester",
        "close owner",
        "close requester",
    ]
)


@dataclass
class Place:
    """One site, and what this test knows of it."""

    site: MemorySite
    retriever: ContainerRetriever
    received: list[Any] = field(default_factory=list)
    reports: list[tuple[Request, Outcome]] = field(default_factory=list)
    objects: dict[str, Any] = field(default_factory=dict)


class Federation(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.wire = Network()
        self.wire.sites.update(SITES)
        self.wire.remember(b"\0" * 60)
        self.network = MemoryNetwork(self.carry)
        self.places: dict[str, Place] = {}
        self.fired = 0
        self.meanwhile: tuple[int, Callable[[], None]] | None = None

    def carry(self, source: str, target: str, message: bytes) -> list[bytes]:
        """The network, and what happens while it carries the message that was chosen for it."""
        if self.meanwhile is not None:
            left, action = self.meanwhile
            self.meanwhile = (left - 1, action) if left else None
            if not left:
                action()
        return self.wire.carry(source, target, message)

    @initialize()
    def begin(self) -> None:
        for name in SITES:
            self.places[name] = self.opened(name)

    def opened(self, name: str) -> Place:
        site = self.network.site(name, OPTIONS)
        place = Place(site, ContainerRetriever(site, chunk=CHUNK))
        site.accept(lambda request: ContainerAssembler())

        def watch(request: Request, outcome: Outcome) -> None:
            place.reports.append((request, outcome))
            if request.offered and outcome.delivered:
                place.received.append(outcome.result)

        site.watch(watch)
        return place

    # -- the table of an owner

    @rule(owner=ONE, name=st.sampled_from(NAMES), container=CONTAINERS)
    def add(self, owner: str, name: str, container: Any) -> None:
        self.places[owner].retriever.add_container(name, container)
        self.places[owner].objects[name] = container

    @rule(owner=ONE, name=st.sampled_from(NAMES))
    def remove(self, owner: str, name: str) -> None:
        place = self.places[owner]
        if name in place.objects:
            place.retriever.remove_container(name)
            del place.objects[name]

    @rule(name=ONE)
    def restart(self, name: str) -> None:
        self.places[name].site.close()
        self.places[name] = self.opened(name)

    # -- transfers

    @rule(
        requester=ONE,
        owner=ONE,
        name=st.sampled_from(NAMES),
        faults=FAULTS,
        disturbance=DISTURBANCES,
        at=st.integers(1, 8),
        other=CONTAINERS,
        cut=st.integers(0, 60),
    )
    def retrieve(
        self,
        requester: str,
        owner: str,
        name: str,
        faults: list[Fault],
        disturbance: str,
        at: int,
        other: Any,
        cut: int,
    ) -> None:
        asking, owning = self.places[requester], self.places[owner]
        known = name in owning.objects
        before = copy.deepcopy(owning.objects.get(name))
        reports = len(owning.reports)
        self.prepare(faults, cut)
        self.disturb(disturbance, at, asking, owning, name, other)
        got, problem = attempt(lambda: asking.retriever.retrieve_container(owner, name))
        harmed = self.recover(owner, requester)
        owning_reports = owning.reports[reports:]
        if problem is None:
            assert known
            assert difference(before, got) == ""
        elif requester == owner:
            assert problem.code is Code.REFUSED
        elif not harmed and disturbance in ("nothing", "replace", "remove", "change"):
            assert problem.code is (Code.SOURCE_CHANGED if known else Code.NOT_FOUND), problem
            assert disturbance == "change" or not known
        delivered = [outcome for request, outcome in owning_reports if outcome.delivered]
        assert len(delivered) <= (problem is None)
        assert all(request.peer == requester and not request.offered for request, _ in owning_reports)

    @rule(
        source=ONE,
        peers=st.lists(st.sampled_from((*SITES, "nowhere")), min_size=1, max_size=3, unique=True),
        container=CONTAINERS,
        faults=FAULTS,
        cut=st.integers(0, 60),
    )
    def push(self, source: str, peers: list[str], container: Any, faults: list[Fault], cut: int) -> None:
        before = {name: len(place.received) for name, place in self.places.items()}
        self.prepare(faults, cut)
        outcomes = self.places[source].site.push(peers, ContainerStreamer(container, chunk=CHUNK))
        harmed = self.recover()
        assert list(outcomes) == peers
        for target, outcome in outcomes.items():
            arrived = self.places[target].received[before[target] :] if target in self.places else []
            assert len(arrived) <= 1
            if outcome.delivered:
                assert len(arrived) == 1
            elif arrived:
                assert outcome.error is not None
                assert outcome.error.code is Code.UNCONFIRMED
            for one in arrived:
                assert difference(container, one) == ""
            if not harmed:
                assert outcome.delivered == (target in SITES and target != source), outcome
        for name, place in self.places.items():
            assert name in peers or len(place.received) == before[name]

    # -- what happens meanwhile

    def prepare(self, faults: list[Fault], cut: int) -> None:
        for fault in faults:
            self.wire.plan(fault, required=False)
        if cut < 6:
            self.wire.plan(Fault("cut", nth=cut), required=False)

    def disturb(self, what: str, at: int, asking: Place, owning: Place, name: str, other: Any) -> None:
        def replace() -> None:
            owning.retriever.add_container(name, other)
            owning.objects[name] = other

        def remove() -> None:
            if name in owning.objects:
                owning.retriever.remove_container(name)
                del owning.objects[name]

        def change() -> None:
            value = owning.objects.get(name)
            if type(value) is dict:
                value["changed"] = at
            elif type(value) is list:
                value.insert(0, "changed")
            elif type(value) is set:
                value.add("changed")

        actions: dict[str, Callable[[], None]] = {
            "replace": replace,
            "remove": remove,
            "change": change,
            "cancel owner": owning.site.cancel,
            "cancel requester": asking.site.cancel,
            "close owner": owning.site.close,
            "close requester": asking.site.close,
        }
        action = actions.get(what)
        if action is not None:
            self.meanwhile = at, action

    def recover(self, *names: str) -> bool:
        """Mend everything; whether anything was harmed."""
        fired = len(self.wire.fired())
        harmed, self.fired = fired > self.fired, fired
        self.wire.heal()
        self.meanwhile = None
        for name in names:
            if self.places[name].site.closed:
                self.places[name] = self.opened(name)
                harmed = True
        return harmed

    @invariant()
    def nothing_is_left(self) -> None:
        for place in self.places.values():
            assert not place.site.live


def attempt(action: Callable[[], Any]) -> tuple[Any, TransferError | None]:
    try:
        return action(), None
    except TransferError as problem:
        return None, problem


TestFederation = Federation.TestCase
TestFederation.settings = settings(stateful_step_count=25)
