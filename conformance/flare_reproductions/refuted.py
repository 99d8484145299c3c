"""What FLARE was suspected of and does right: expect NOT REPRODUCED. Usage: python refuted.py [NAME ...]"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
from harness import Send, federation, main, reproduction, soon
from nvflare.apis.shareable import Shareable
from nvflare.fuel.f3.message import Message
from nvflare.private.stream_runner import HeaderKey


@reproduction
def falsy_entries() -> str | None:
    a, b = federation("a", "b")
    sent: list[object] = [None, False, 0, 0.0, "", b"", (), [], {}]
    a.push(sent, "b")
    return None if b.received == [("OK", sent)] else f"arrived: {b.received}"


@reproduction
def nested_keys_of_any_type() -> str | None:
    a, b = federation("a", "b")
    sent = [{None: 1, True: 2, 7: 3, 1.5: 4, b"x": 5, (1, 2): 6}]
    a.push(sent, "b")
    return None if b.received == [("OK", sent)] else f"arrived: {b.received}"


@reproduction
def float_bits() -> str | None:
    a, b = federation("a", "b")
    sent = [bytes.fromhex(bits) for bits in ("7ff8000000000123", "7ff0000000000123", "8000000000000000")]
    a.push([struct.unpack(">d", each)[0] for each in sent], "b")
    arrived = [struct.pack(">d", each) for each in b.received[0][1]]
    return None if arrived == sent else f"arrived: {[each.hex() for each in arrived]}"


@reproduction
def array_layouts() -> str | None:
    a, b = federation("a", "b")
    sent = [
        np.arange(3, dtype=">f4"),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(10)[::-2],
        np.array(5),
        np.zeros((0, 3)),
        np.array([1j]),
        np.arange(3, dtype=np.float16),
    ]
    a.push(sent, "b")
    rc, arrived = b.received[0]
    pairs = zip(sent, arrived or [], strict=True)
    same = rc == "OK" and all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in pairs)
    return None if same else f"arrived: {arrived}"


@reproduction
def owner_and_requester_share_the_object() -> str | None:
    a, b = federation("a", "b")
    array = np.zeros(3)
    a.containers.add_container("c", [array])
    _, (arrived,) = b.pull(a, "c")
    array += 1
    return f"arrived: {arrived}" if arrived.any() else None


@reproduction
def dict_resized_while_streamed() -> str | None:
    a, b = federation("a", "b")
    container = {1: 1, 2: 2, 3: 3}

    def resize(_: Shareable) -> None:
        container[4] = 4

    a.before_send(resize)
    try:
        outcome = a.push(container, "b")
    except RuntimeError:
        soon(lambda: b.received)
        return None if b.received == [("TASK_ABORTED", None)] else f"receiver: {b.received}"
    return f"sender: {outcome}"


@reproduction
def file_resized_while_streamed() -> str | None:
    a, b = federation("a", "b")
    path = a.sources / "file"
    size = 0

    def resize(message: Shareable) -> None:
        if message.get_header(HeaderKey.SEQ) == 1:
            os.truncate(path, size)

    a.before_send(resize)
    for size in (48_000, 52_000):
        path.write_bytes(b"." * 50_000)
        outcome = a.push_file(path, "b", chunk_size=1000)
        if outcome[0] == "OK":
            return f"from 50000 to {size} bytes: {outcome}, {b.received[-1]}"
    return None


@reproduction
def names_that_leave_the_directory() -> str | None:
    a, b = federation("a", "b")
    secret = a.directory / "secret"
    secret.write_text("secret")
    (a.sources / "link").symlink_to(secret)
    (a.sources / "way").symlink_to(a.directory)
    names = [
        str(secret),
        f"../{a.directory.name}/secret",
        "link",
        "way/secret",
        ".",
        "..",
        "/dev/zero",
        "a\0b",
    ]
    served = [name for name in names if b.pull_file(a, name, timeout=1.0)[0] == "OK"]
    return f"served: {served}" if served else None


@reproduction
def file_name_of_the_sender_becomes_a_path() -> str | None:
    a, b = federation("a", "b")
    path = a.sources / "name"
    path.write_text("x")
    _, where = (a.push_file(path, "b"), b.received[0][1])
    return f"received as {where}" if "name" in Path(where).name else None


@reproduction
def duplicate_of_the_last_of_several_messages() -> str | None:
    a, b = federation("a", "b")

    def last_twice(send: Send, message: Shareable) -> Message:
        reply = send(message)
        if message.get_header(HeaderKey.SEQ) == 1:
            send(message)
        return reply

    a.on_send(last_twice)
    a.push([1, 2], "b")
    return None if b.received == [("OK", [1, 2])] else f"received: {b.received}"


if __name__ == "__main__":
    main()
