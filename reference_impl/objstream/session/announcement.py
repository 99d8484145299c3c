"""What a sender says of an object in OFFER and OPEN."""

from __future__ import annotations

from .. import meta as metas
from ..errors import Code, TransferError
from ..meta import Key, Meta
from ..streamers.base import Description

MAX_ATTRIBUTES = 2048
"""Bytes of attributes in CBOR, so that they fit into the meta that any receiver accepts."""


def check_attributes(description: Description) -> None:
    """Raises TransferError for attributes that are not plain, or too large for a frame."""
    try:
        length = len(metas.encode(dict(description.attributes)))  # type: ignore[arg-type]
    except (TypeError, UnicodeEncodeError) as problem:
        raise TransferError(Code.UNSUPPORTED, f"the attributes are no plain values: {problem}") from problem
    if length > MAX_ATTRIBUTES:
        raise TransferError(
            Code.TOO_LARGE, f"{length} bytes of attributes, at most {MAX_ATTRIBUTES} are carried"
        )


def announcement(description: Description) -> Meta:
    announced: Meta = {Key.KIND: description.kind}
    if description.size is not None:
        announced[Key.SIZE] = description.size
    if description.count is not None:
        announced[Key.COUNT] = description.count
    if description.attributes:
        announced[Key.ATTRIBUTES] = dict(description.attributes)
    return announced
