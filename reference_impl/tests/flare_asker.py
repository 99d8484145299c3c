"""A client's process that retrieves a model: `python flare_asker.py URL PAUSE [CREDENTIALS]`.

It pauses at each step of progress, so many seconds, and prints the return code. With credentials, in JSON, it lets
FLARE encrypt.
"""

from __future__ import annotations

import json
import os
import sys
import time

from flare_job import Engine
from nvflare.fuel.f3.cellnet.cell import Cell

from objstream.flare import ContainerRetriever


def main(url: str, pause: str, credentials: str = "{}") -> None:
    known = json.loads(credentials)
    cell = Cell("site-1.job", url, secure=False, credentials=known)
    cell.core_cell.start()
    while not cell.core_cell.agents:
        time.sleep(0.05)

    def progress(_: object) -> None:
        print("going on", flush=True)
        time.sleep(float(pause))

    asker = ContainerRetriever(window=1 << 20, stream_msg_secure=bool(known))
    context = Engine("site-1", cell).new_context()
    rc, _ = asker.retrieve_container("server", context, 60.0, "model", progress=progress)
    print(rc, flush=True)
    os._exit(0)  # threads of FLARE would keep the process


if __name__ == "__main__":
    main(*sys.argv[1:])
