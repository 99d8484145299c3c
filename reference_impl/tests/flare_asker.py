"""A client's process that retrieves slowly, in order to be killed: `python flare_asker.py URL`."""

from __future__ import annotations

import sys
import time

from flare_job import Engine
from nvflare.fuel.f3.cellnet.cell import Cell

from objstream.flare import ContainerRetriever


def main(url: str) -> None:
    cell = Cell("site-1.job", url, secure=False, credentials={})
    cell.core_cell.start()
    while not cell.core_cell.agents:
        time.sleep(0.05)

    def progress(_: object) -> None:
        print("going on", flush=True)
        time.sleep(0.2)

    asker = ContainerRetriever(window=1 << 20)
    context = Engine("site-1", cell).new_context()
    print(asker.retrieve_container("server", context, 60.0, "model", progress=progress), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
