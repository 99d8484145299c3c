"""What FLARE's carriers cost: the same bytes from one process to another over a cell, each carrier in turn.

    python carriers.py --size 512 --rounds 3

- `aux`: a request with 1 MiB in a Shareable, and the wait for its reply, as aux messages and FLARE's streamers go.
- `stream`: the cell's own byte stream (`send_stream`), 64 MiB of window, nothing checked.
- `objstream`: plain messages of the cell, as `objstream.flare` sends them; every frame has a digest, the whole is
  verified, and the window is ours.

For each: the median time, the processor time of both processes, and what either took beyond the object at most.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import multiprocessing
import os
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nvflare.apis.shareable import Shareable
from nvflare.fuel.f3.cellnet.cell import Cell
from nvflare.fuel.f3.message import Message
from nvflare.fuel.f3.streaming.stream_types import Stream
from nvflare.private.defs import CellChannel

from objstream import ContainerRetriever
from objstream.flare import FlareOptions, FlareSite
from objstream.flare.cells import dispatcher_of

MIB = 1 << 20
OWNER, ASKER = "server", "site-1"
CHANNEL = "carriers"


@dataclass
class Figures:
    """One carrier: seconds, processor seconds of both processes, MiB beyond the object at either."""

    carrier: str
    window_mib: float
    seconds: float
    cpu_owner: float
    cpu_asker: float
    extra_owner_mib: float
    extra_asker_mib: float


class Meter:
    """Processor time and peak memory of this process since `start`."""

    def start(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")
        self._cpu, self._memory = self._times(), self._status("VmRSS")

    def stop(self) -> tuple[float, float]:
        return self._times() - self._cpu, self._status("VmHWM") - self._memory

    def _times(self) -> float:
        times = os.times()
        return times.user + times.system

    def _status(self, key: str) -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


class Names:
    """Both sites by the names of their cells."""

    def cell_of(self, name: str) -> str:
        return name

    name_of = cell_of

    def admits(self, cell: str) -> bool:
        return True

    def everybody(self) -> list[str]:
        return []


class Arrays(Stream):
    """Arrays as FLARE's byte stream reads them."""

    def __init__(self, arrays: list[Any]) -> None:
        super().__init__(sum(array.nbytes for array in arrays))
        self._pieces = pieces(arrays)
        self._left = memoryview(b"")

    def read(self, size: int) -> memoryview:
        if not len(self._left):
            self._left = next(self._pieces, memoryview(b""))
        part, self._left = self._left[:size], self._left[size:]
        return part


def pieces(arrays: list[Any]) -> Iterator[memoryview]:
    for array in arrays:
        view = memoryview(array)
        yield from (view[start : start + MIB] for start in range(0, len(view), MIB))


def open_cell(name: str, url: str) -> Cell:
    logging.disable(logging.CRITICAL)
    cell = Cell(name, url, secure=False, credentials={})
    cell.core_cell.start()
    return cell


def own(url: str, size: int, window: int, orders: Any) -> None:
    """The process that has the object; `orders` tells it when to measure."""
    cell = open_cell(OWNER, url)
    count = max(1, size // (5 * MIB))
    arrays = [np.random.default_rng(n).integers(0, 255, size // count, np.uint8) for n in range(count)]
    site = FlareSite(dispatcher_of(cell.core_cell), CHANNEL, Names(), FlareOptions(window=window))
    ContainerRetriever(site).add_container("object", arrays)

    def by_aux() -> None:
        for piece in [*pieces(arrays), memoryview(b"")]:
            request = Message(payload=Shareable({"piece": bytes(piece)}))
            cell.send_request(
                channel=CellChannel.AUX_COMMUNICATION,
                topic=CHANNEL,
                target=ASKER,
                request=request,
                timeout=60.0,
            )

    def by_stream() -> None:
        cell.send_stream(CHANNEL, "stream", ASKER, Message(None, Arrays(arrays)))

    def on_demand(send: Callable[[], None]) -> Callable[[Message], Message]:
        def start(message: Message) -> Message:
            threading.Thread(target=send, daemon=True).start()
            return Message()

        return start

    for topic, send in (("aux", by_aux), ("stream", by_stream)):
        cell.core_cell.register_request_cb("ask", topic, on_demand(send))
    meter = Meter()
    orders.send("ready")
    while orders.recv() == "start":
        meter.start()
        orders.send("started")
        orders.recv()
        orders.send(meter.stop())
    os._exit(0)


class Asker:
    """The process that gets the object, by one carrier or another."""

    def __init__(self, url: str, size: int, window: int) -> None:
        self._size = size
        self._cell = open_cell(ASKER, url)
        while not self._cell.core_cell.agents:
            time.sleep(0.05)
        site = FlareSite(dispatcher_of(self._cell.core_cell), CHANNEL, Names(), FlareOptions(window=window))
        self._retriever = ContainerRetriever(site)
        self._done = threading.Event()
        self._place = memoryview(b"")
        self._at = 0
        self._cell.register_stream_cb(CHANNEL, "stream", self._stream)
        self._cell.register_request_cb(channel=CellChannel.AUX_COMMUNICATION, topic=CHANNEL, cb=self._aux)

    def get(self, carrier: str) -> object:
        if carrier == "objstream":
            return self._retriever.retrieve_container(OWNER, "object")
        found = np.empty(self._size, np.uint8)
        self._place, self._at = memoryview(found), 0
        self._done.clear()
        self._cell.core_cell.send_request("ask", carrier, OWNER, Message())
        self._done.wait()
        self._place = memoryview(b"")
        return found

    def _take(self, piece: Any) -> None:
        self._place[self._at : self._at + len(piece)] = piece
        self._at += len(piece)

    def _aux(self, message: Message) -> Message:
        piece = message.payload["piece"]
        self._take(piece)
        if not piece:
            self._done.set()
        return Message()

    def _stream(self, future: object, stream: Stream, resume: bool) -> None:
        while piece := stream.read(MIB):
            self._take(piece)
        self._done.set()


def compare(carrier: str, size: int, window: int, rounds: int) -> Figures:
    """A carrier between two fresh processes; the first round, into memory that is new to them, does not count."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    orders, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=own, args=(url, size, window, theirs), daemon=True)
    process.start()
    try:
        orders.recv()
        asker, meter = Asker(url, size, window), Meter()
        found = [measured(asker, carrier, meter, orders) for _ in range(rounds + 1)][1:]
    finally:
        with contextlib.suppress(OSError):
            orders.send("stop")
        process.join(5)
        process.kill()
    seconds, own_cpu, own_extra, cpu, extra = (
        statistics.median(column) for column in zip(*found, strict=True)
    )
    beyond = extra - size / MIB
    shown = 64 if carrier == "stream" else 1 if carrier == "aux" else window / MIB
    return Figures(carrier, shown, seconds, own_cpu, cpu, own_extra, max(0.0, beyond))


def measured(asker: Asker, carrier: str, meter: Meter, orders: Any) -> tuple[float, ...]:
    orders.send("start")
    orders.recv()
    meter.start()
    began = time.monotonic()
    found = asker.get(carrier)
    seconds = time.monotonic() - began
    cpu, extra = meter.stop()
    del found
    orders.send("over")
    own_cpu, own_extra = orders.recv()
    return seconds, own_cpu, own_extra, cpu, extra


def one(carrier: str, size: int, window: int, rounds: int, answer: Any) -> None:
    """In a process of its own, since FLARE keeps one cell of a name in each."""
    answer.send(asdict(compare(carrier, size, window, rounds)))
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512, metavar="MiB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--carriers", default="aux,stream,objstream")
    parser.add_argument("--windows", default="16", metavar="MiB,...", help="of objstream")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    rows = []
    print(f"{'carrier':10} {'window':>8} {'seconds':>8} {'MiB/s':>7}  cpu owner, asker   extra owner, asker")
    for carrier in arguments.carriers.split(","):
        for window in arguments.windows.split(",") if carrier == "objstream" else ["8"]:
            here, there = context.Pipe()
            size = arguments.size * MIB
            inputs = (carrier, size, int(float(window) * MIB), arguments.rounds, there)
            process = context.Process(target=one, args=inputs)
            process.start()
            row = here.recv()
            process.join()
            rows.append(row)
            print(
                f"{carrier:10} {row['window_mib']:4.0f} MiB {row['seconds']:8.2f}"
                f" {arguments.size / row['seconds']:7.0f}"
                f"  {row['cpu_owner']:7.2f} s {row['cpu_asker']:5.2f} s"
                f"  {row['extra_owner_mib']:7.0f} {row['extra_asker_mib']:5.0f} MiB",
                flush=True,
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
