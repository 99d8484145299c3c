"""The assertions of the suite: what a case expects of an implementation, and how it waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from .compare import difference, show
from .contract import Rejected
from .outcomes import Unexercised, Violation
from .sites import Refusal, describe

Operation = Callable[[], object]


class Assertions:
    """Expectations, each of which ends the case when it is not met."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def expect(self, condition: object, expected: str, observed: str, check: str = "") -> None:
        if not condition:
            raise Violation(expected, observed, check)

    def succeeds(self, operation: Operation, what: str = "the transfer to succeed") -> Any:
        """What the operation returns; a refusal is a violation."""
        try:
            return operation()
        except (Rejected, TimeoutError) as refusal:
            raise Violation(what, describe(refusal)) from refusal

    def same(self, sent: object, got: object, check: str = "") -> None:
        """`got` is the very value that was sent, bit for bit and type for type."""
        found = difference(sent, got)
        self.expect(not found, "the object received to equal the one sent, bit for bit", found, check)

    def rejected(self, operation: Operation, expected: str, check: str = "") -> Refusal:
        """The operation ended in an error, which is returned."""
        try:
            result = operation()
        except (Rejected, TimeoutError) as refusal:
            return refusal
        raise Violation(expected, f"it ended well: {show(result)}", check)

    def refused(self, operation: Operation, expected: str, check: str = "") -> Rejected:
        """As :meth:`rejected`, but said as what it is: a time-out will not do."""
        refusal = self.rejected(operation, expected, check)
        if isinstance(refusal, TimeoutError):
            raise Violation(expected, "it ended only by running out of time", check)
        return refusal

    def never_wrong(self, operation: Operation, sent: object) -> bool:
        """The operation delivered exactly what was sent (True) or ended in an error (False)."""
        try:
            got = operation()
        except (Rejected, TimeoutError) as refusal:
            self.notes.append(describe(refusal))
            return False
        found = difference(sent, got)
        self.expect(not found, "the object as it was sent, or an error", f"a wrong object: {found}")
        return True

    def soon(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether the condition comes true within so many seconds."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def within(self, seconds: float, operation: Operation, what: str) -> Any:
        """Run an operation that has to end, one way or the other, within so many seconds."""
        start = time.monotonic()
        try:
            return operation()
        finally:
            elapsed = time.monotonic() - start
            self.expect(elapsed < seconds, f"{what} within {seconds:.1f} s", f"it took {elapsed:.1f} s")

    def exercised(self, condition: object, what: str) -> None:
        """The scenario really came about; without that the case shows nothing."""
        if not condition:
            raise Unexercised(what, "it did not come about")

    def together(self, *operations: Operation) -> list[object]:
        """Run operations side by side; a refusal stands in the list in the place of a result."""
        results: list[object] = [None] * len(operations)

        def run(index: int, operation: Operation) -> None:
            try:
                results[index] = operation()
            except BaseException as error:
                results[index] = error

        threads = [threading.Thread(target=run, args=item, daemon=True) for item in enumerate(operations)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, (Rejected, TimeoutError)):
                raise result
        return results
