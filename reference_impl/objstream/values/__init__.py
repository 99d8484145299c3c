"""The value model and its encoding: Python values to skeleton and buffers, and back."""

from __future__ import annotations

from .decode import Decoder
from .encode import Label, Piece, encode, measure
from .registry import Registry

__all__ = ["Decoder", "Label", "Piece", "Registry", "encode", "measure"]
