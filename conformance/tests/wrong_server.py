"""A server of the reference with one mistake: `wrong_server.py MISTAKE URL NAME=PATH...` prints its address.

MISTAKE is the name of a mutant, `silent` (takes connections and says nothing) or `mortal` (ends when it is asked).
"""

from __future__ import annotations

import os
import socket
import sys
import threading

from objstream import ContainerRetriever, FileRetriever, Request, SocketSite
from objstream.models import is_model, load_model
from objstream_conformance.mutants import kit, load


def silent() -> str:
    listener = socket.create_server(("127.0.0.1", 0))
    kept = []

    def accept() -> None:
        while True:
            kept.append(listener.accept())

    threading.Thread(target=accept, daemon=True).start()
    return f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def serving(mistake: str, url: str, objects: list[str]) -> str:
    site = SocketSite(url)
    if mistake == "mortal":

        def die(request: Request) -> None:
            os._exit(3)

        site.provide(die)
    else:
        load()
        kit._places = kit.EVERYWHERE  # this process has one place, and there it is wrong
        kit.VARIANTS[mistake].change()
    containers, files = ContainerRetriever(site), FileRetriever(site)
    for name, _, path in (one.partition("=") for one in objects):
        if is_model(path):
            containers.add_container(name, load_model(path).container)
        else:
            files.add_file(name, path)
    return site.address


if __name__ == "__main__":
    mistake, url, *objects = sys.argv[1:]
    print(silent() if mistake == "silent" else serving(mistake, url, objects), flush=True)
    threading.Event().wait()
