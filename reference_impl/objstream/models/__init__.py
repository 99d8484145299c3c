"""Model files: read without a second copy in memory, written entry by entry as a transfer brings them.

The format follows from the suffix of the path: `.safetensors`, `.npz`, `.pt` and `.pth`. A model is a dict of arrays or
tensors (of a checkpoint: any container of the value model), so that it can be served, retrieved, and stored in another
format than it came from, as far as that format holds its dtypes.
"""

from __future__ import annotations

from .files import FORMATS, Model, is_model, load_model, save_model
from .formats import ModelError
from .transfer import ModelAssembler, ModelFile, ModelStreamer, metadata_fits

__all__ = [
    "FORMATS",
    "Model",
    "ModelAssembler",
    "ModelError",
    "ModelFile",
    "ModelStreamer",
    "is_model",
    "load_model",
    "metadata_fits",
    "save_model",
]
