"""What every site does, whatever its engine: options, offers, answers, verdicts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from objstream import (
    Code,
    ContainerAssembler,
    ContainerStreamer,
    MemoryNetwork,
    ObjectAssembler,
    ObjectStreamer,
    Options,
    Outcome,
    Request,
    Site,
    TransferError,
)
from objstream.session import AnySession
from objstream.site import described

from .helpers import failure


class Idle(Site):
    """A site whose engine does nothing at all."""

    def _run(self, sessions: Mapping[str, AnySession], options: Options) -> None:
        self.ran = dict(sessions)

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def test_an_engine_that_does_nothing_has_delivered_nothing() -> None:
    site = Idle("idle")
    assert failure(lambda: site.pull("peer", "container", "m", ContainerAssembler())).code is Code.LOST
    (outcome,) = site.push(["peer"], ContainerStreamer([1])).values()
    assert not outcome.delivered
    assert outcome.error is not None
    assert outcome.error.code is Code.LOST


def test_a_session_that_failed_before_it_began_is_not_run() -> None:
    class Broken(ContainerStreamer):
        def describe(self) -> Any:
            raise TransferError(Code.NOT_FOUND, "it is gone")

    site = Idle("idle")
    (outcome,) = site.push(["peer"], Broken([1])).values()
    assert outcome.error is not None
    assert outcome.error.code is Code.NOT_FOUND
    assert not hasattr(site, "ran")


def test_a_site_closes_when_it_is_left() -> None:
    with Idle("idle") as site:
        pass
    assert site.closed


def test_a_push_without_targets_is_an_error() -> None:
    problem = failure(lambda: Idle("idle").push([], ContainerStreamer([1], name="m")))
    assert problem.code is Code.NOT_FOUND
    assert "m: no targets" in problem.message


def test_each_target_gets_a_streamer_of_its_own_and_a_target_is_asked_once() -> None:
    site = Idle("idle")
    outcomes = site.push(iter(["a", "b", "a"]), ContainerStreamer([1], name="m"))
    assert list(outcomes) == ["a", "b"]
    assert [outcome.peer for outcome in outcomes.values()] == ["a", "b"]
    assert {outcome.name for outcome in outcomes.values()} == {"m"}


@pytest.mark.parametrize(
    "wrong",
    [{"digests": ()}, {"digests": ("md5",)}, {"digests": ("sha-256", "x")}, {"deadline": 0}, {"window": 0}],
)
def test_options_that_make_no_sense_are_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Options(**wrong)


def test_the_smallest_options_are_options() -> None:
    options = Options(digests=("none",), deadline=0.001, window=1)
    assert (options.deadline, options.window) == (0.001, 1)


class Party:
    """Two sites, and what the second one reports."""

    def __init__(self) -> None:
        network = MemoryNetwork()
        self.one, self.other = network.site("one"), network.site("other")
        self.reports: list[tuple[Request, Outcome]] = []
        self.other.watch(lambda request, outcome: self.reports.append((request, outcome)))

    def push(self, value: object = (1, 2), **options: Any) -> Outcome:
        return self.one.push(["other"], ContainerStreamer(value, name="m"), Options(**options))["other"]

    def pull(self, kind: str = "container") -> object:
        return self.one.pull("other", kind, "m", ContainerAssembler())


def test_an_offer_is_described_to_the_one_who_decides() -> None:
    party = Party()
    seen: list[Request] = []

    def accept(offer: Request) -> ObjectAssembler:
        seen.append(offer)
        return ContainerAssembler()

    party.other.accept(accept)
    assert party.push([1, 2, 3]).delivered
    assert seen == [Request("one", "list", "m", offered=True, size=3, count=3)]
    ((request, outcome),) = party.reports
    assert request == seen[0]
    assert outcome == Outcome("one", "m", [1, 2, 3])
    assert outcome.delivered


def test_a_request_is_described_to_the_one_who_answers() -> None:
    party = Party()
    seen: list[Request] = []

    def provide(asked: Request) -> ObjectStreamer:
        seen.append(asked)
        return ContainerStreamer([1])

    party.other.provide(provide)
    assert party.pull() == [1]
    assert seen == [Request("one", "container", "m")]
    assert party.reports == [(seen[0], Outcome("one", "m"))]


def test_the_first_who_takes_an_offer_gets_it() -> None:
    party = Party()
    taken: list[str] = []
    party.other.accept(lambda offer: None)
    for name in ("second", "third"):

        def accept(offer: Request, name: str = name) -> ObjectAssembler:
            taken.append(name)
            return ContainerAssembler()

        party.other.accept(accept)
    assert party.push().delivered
    assert taken == ["second"]


def test_an_offer_that_nobody_takes_is_refused() -> None:
    party = Party()
    party.other.accept(lambda offer: None)
    outcome = party.push()
    assert outcome.error is not None
    assert str(outcome.error) == "REFUSED: peer: no offer of kind 'tuple' is taken here"


@pytest.mark.parametrize(
    ("problem", "asked", "offered"),
    [
        (TransferError(Code.BUSY, "later", local="secret"), Code.BUSY, Code.BUSY),
        (ZeroDivisionError("secret"), Code.SOURCE_FAILED, Code.REFUSED),
    ],
)
def test_what_the_application_raises_is_told_without_its_detail(
    problem: Exception, asked: Code, offered: Code
) -> None:
    def decide(request: Request) -> Any:
        raise problem

    party = Party()
    party.other.provide(decide)
    party.other.accept(decide)
    told = failure(party.pull)
    outcome = party.push()
    assert outcome.error is not None
    assert (told.code, outcome.error.code) == (asked, offered)
    assert "secret" not in str(told) + str(outcome.error)
    assert all("secret" in str(report.error) for _, report in party.reports)


def test_a_watcher_that_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    party = Party()

    def watch(request: Request, outcome: Outcome) -> None:
        raise ZeroDivisionError

    later: list[Outcome] = []
    party.other.watch(watch)
    party.other.watch(lambda request, outcome: later.append(outcome))
    party.other.accept(lambda offer: ContainerAssembler())
    with caplog.at_level(logging.ERROR, "objstream"):
        assert party.push().delivered
    assert [outcome.delivered for outcome in later] == [True]
    assert "m: a watcher failed" in caplog.text


def test_what_is_raised_after_the_end_is_logged_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Clumsy(ContainerStreamer):
        def close(self) -> None:
            raise ZeroDivisionError

    class Sloppy(ContainerAssembler):
        def discard(self) -> None:
            raise ZeroDivisionError

    party = Party()
    party.other.provide(lambda asked: Clumsy([1], name="m") if asked.kind == "container" else None)
    with caplog.at_level(logging.ERROR, "objstream"):
        assert party.pull() == [1]
        problem = failure(lambda: party.one.pull("other", "x-none", "m", Sloppy()))
    assert problem.code is Code.NOT_FOUND
    assert caplog.text.count("an error after the end of the transfer") == 2


def test_a_request_that_was_refused_before_it_was_understood_is_reported_all_the_same() -> None:
    party = Party()
    party.other.options = Options(digests=("none",))
    problem = failure(party.pull)
    assert problem.code is Code.DIGEST
    ((request, outcome),) = party.reports
    assert request.peer == "one"
    assert outcome.error is not None
    assert outcome.error.code is Code.DIGEST


def test_the_digest_is_negotiated_from_the_options_of_both() -> None:
    party = Party()
    party.other.provide(lambda asked: ContainerStreamer([1]))
    party.other.options = Options(digests=("none", "sha-256"))
    for digests in (("sha-256",), ("none",), ("blake3", "none")):
        assert party.one.pull("other", "container", "m", ContainerAssembler(), Options(digests=digests)) == [
            1
        ]


def test_a_streamer_of_another_kind_than_was_asked_for_is_refused_by_the_asker() -> None:
    party = Party()
    party.other.provide(lambda asked: ContainerStreamer([1]))

    class Files(ContainerAssembler):
        def accepts(self, kind: str) -> bool:
            return kind == "file"

    problem = failure(lambda: party.one.pull("other", "file", "m", Files()))
    assert problem.code is Code.PROTOCOL


def test_a_request_can_be_described_before_there_is_one() -> None:
    assert described(Idle("idle").incoming(1), "peer").kind == ""  # type: ignore[arg-type]
