"""Stream large objects between sites: containers entry by entry, files chunk by chunk, in bounded memory."""

from __future__ import annotations

from .errors import Code, TransferError
from .limits import Limits

__version__ = "0.1.0"

__all__ = ["Code", "Limits", "TransferError", "__version__"]
