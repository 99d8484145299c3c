"""A workflow: in each round every client receives an object, all of them at the same time, and says how it went."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import reports
from nvflare.apis.controller_spec import ClientTask, Task
from nvflare.apis.fl_context import FLContext
from nvflare.apis.impl.controller import Controller
from nvflare.apis.shareable import ReturnCode, Shareable, make_reply
from nvflare.apis.signal import Signal

RECEIVE = "receive"
"""Name of the task."""
OUTCOME = "outcome"
RETRIEVER = "retriever"
"""Component id of the retriever, at every site."""


class Owner(Controller):
    """Has the object; subclasses say which.

    Args:
        rounds: how many.
        patience: seconds that the clients have in each.
    """

    def __init__(self, rounds: int = 1, patience: int = 300) -> None:
        super().__init__()
        self.rounds = rounds
        self.patience = patience
        self._sites: dict[str, dict[str, Any]] = {}
        self._object: tuple[Shareable, dict[str, Any]] = (Shareable(), {})

    @abstractmethod
    def prepare(self, fl_ctx: FLContext) -> tuple[Shareable, dict[str, Any]]:
        """Make the object ready to be retrieved.

        Returns:
            what the clients must know, and what is to be in the report.
        """

    def start_controller(self, fl_ctx: FLContext) -> None:
        self._object = self.prepare(fl_ctx)

    def control_flow(self, abort_signal: Signal, fl_ctx: FLContext) -> None:
        clients = [client.name for client in fl_ctx.get_engine().get_clients()]
        data, record = self._object
        for _ in range(self.rounds):
            task = Task(RECEIVE, data, timeout=self.patience, result_received_cb=self._note)
            self.broadcast_and_wait(
                task, fl_ctx, targets=clients, min_responses=len(clients), abort_signal=abort_signal
            )
        reports.write(fl_ctx, clients, self._sites, record)

    def stop_controller(self, fl_ctx: FLContext) -> None:
        pass

    def _note(self, client_task: ClientTask, fl_ctx: FLContext) -> None:
        """A site has verified its object when it has done so in every round."""
        failed = {"rc": client_task.result.get_return_code(), "verified": False}
        outcome = client_task.result.get(OUTCOME, failed)
        site = self._sites.setdefault(client_task.client.name, {"verified": True, "rounds": []})
        site["rc"] = outcome["rc"]
        site["verified"] = site["verified"] and outcome["verified"]
        site["rounds"].append(outcome)


def outcome(rc: str, verified: bool, began: float, ended: float) -> Shareable:
    """The answer of a client; times are those of `time.monotonic`."""
    reply = make_reply(ReturnCode.OK)
    reply[OUTCOME] = {"rc": rc, "verified": verified, "began": began, "ended": ended}
    return reply
