"""Files: what is left behind, what is delivered, what is ignored. Usage: python files.py [NAME ...]"""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

from harness import Send, Site, federation, main, reproduction, soon
from nvflare.apis.shareable import Shareable
from nvflare.app_common.streamers.streamer_base import KEY_DATA, KEY_DATA_SIZE
from nvflare.fuel.f3.cellnet import defs
from nvflare.fuel.f3.cellnet.utils import make_reply
from nvflare.fuel.f3.message import Message
from nvflare.private.stream_runner import HeaderKey

CHUNK = 1000


def source(site: Site, size: int = 5 * CHUNK) -> Path:
    path = site.sources / "file"
    path.write_bytes(b"." * size)
    return path


def number(message: Shareable) -> int:
    seq: int = message.get_header(HeaderKey.SEQ)
    return seq


def sizes(site: Site) -> list[int]:
    return [path.stat().st_size for path in site.leftovers()]


@reproduction
def partial_file_left_behind() -> str | None:
    a, b = federation("a", "b")

    def lose(send: Send, message: Shareable) -> Message:
        return send(message) if number(message) < 3 else make_reply(defs.ReturnCode.TIMEOUT)

    a.on_send(lose)
    outcome = a.push_file(source(a), "b", chunk_size=CHUNK)
    soon(lambda: b.received)
    return f"{outcome}, {b.received[0][0]}; left in dest_dir: {sizes(b)} bytes" if sizes(b) else None


@reproduction
def final_name_before_it_is_complete() -> str | None:
    a, b = federation("a", "b")
    seen: list[list[Path]] = []
    a.before_send(lambda _: seen.append(b.leftovers()))
    a.push_file(source(a), "b", chunk_size=CHUNK)
    final = Path(b.received[0][1])
    return f"there after the first of {len(seen)} messages" if final in seen[1] else None


@reproduction
def file_after_the_requester_gave_up() -> str | None:
    a, b = federation("a", "b")
    source(a, 3 << 20)
    a.before_send(lambda _: time.sleep(0.3))
    outcome = b.pull_file(a, "file", timeout=0.5)
    soon(lambda: sizes(b) == [3 << 20], 3.0)
    return f"{outcome}; later in dest_dir: {sizes(b)} bytes" if sizes(b) == [3 << 20] else None


@reproduction
def source_changed_in_place() -> str | None:
    a, b = federation("a", "b")
    path = source(a)

    def change(message: Shareable) -> None:
        if number(message) == 2:
            with path.open("r+b") as file:
                file.write(b"!" * 5 * CHUNK)

    a.before_send(change)
    outcome = a.push_file(path, "b", chunk_size=CHUNK)
    if outcome[0] == "OK":
        data = Path(b.received[0][1]).read_bytes()
        return f"OK: delivered {data.count(b'.')} bytes of before and {data.count(b'!')} of after"
    return None


@reproduction
def corrupted_content() -> str | None:
    a, b = federation("a", "b")
    a.on_send(lambda send, message: send(message.to_bytes().replace(b"." * 9, b"........!", 1)))
    outcome = a.push_file(source(a), "b", chunk_size=CHUNK)
    if outcome[0] == "OK":
        return f"OK: delivered {Path(b.received[0][1]).read_bytes().count(b'!')} wrong bytes"
    return None


@reproduction
def more_than_announced() -> str | None:
    """The size announced with the first chunk is looked at with the last one."""
    a, b = federation("a", "b")
    most = 0

    def swell(send: Send, message: Shareable) -> Message:
        nonlocal most
        if message[KEY_DATA]:
            message[KEY_DATA] *= 1000
            message[KEY_DATA_SIZE] *= 1000
        reply = send(message)
        most = max([most, *sizes(b)])
        return reply

    a.on_send(swell)
    outcome = a.push_file(source(a), "b", chunk_size=CHUNK)
    return f"announced {5 * CHUNK} bytes, written {most} before {outcome}" if most > 5 * CHUNK else None


@reproduction
def disk_full_noticed_at_close() -> str | None:
    """The reply to the last chunk is made before the file is closed."""
    a, b = federation("a", "b")
    path = source(a, 2000)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    outcome = a.push_file(path, "b")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    if outcome[0] == "OK" and b.received[0][0] != "OK":
        return f"sender: {outcome[0]}; receiver: {b.received[0][0]} with {sizes(b)} of 2000 bytes"
    return None


@reproduction
def chunk_size_ignored() -> str | None:
    a, b = federation("a", "b")
    a.files.chunk_size = CHUNK
    source(a)
    chunks: list[int] = []
    a.before_send(lambda message: chunks.append(message[KEY_DATA_SIZE]))
    b.pull_file(a, "file")
    return (
        f"FileRetriever(chunk_size={CHUNK}) sends chunks of {chunks} bytes" if max(chunks) > CHUNK else None
    )


@reproduction
def unreadable_file_is_a_timeout() -> str | None:
    """Whatever stops the owner after its first reply, the requester waits for."""
    a, b = federation("a", "b")
    source(a)
    checked = a.files.validate_request

    def removed_after_the_check(request: Shareable, fl_ctx: object) -> object:
        result = checked(request, fl_ctx)
        os.unlink(result[1])
        return result

    a.files.validate_request = removed_after_the_check
    outcome = b.pull_file(a, "file", timeout=1.0)
    return f"the file vanishes between check and use: {outcome}" if outcome[0] == "TIMEOUT" else None


if __name__ == "__main__":
    main()
