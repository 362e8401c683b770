"""Importing torchvision beside a torch that its compiled operators do not fit."""

import importlib
from types import ModuleType


def import_torchvision() -> ModuleType:
    """Returns the module `torchvision`, also where its compiled operators do not load.

    With a CPU-only torch, the wheel of the package index fails at import with "operator torchvision::nms does not
    exist". Data sets, transforms and classifiers use none of those operators: declaring the schemas that the
    import looks up is enough, and it is done only when the plain import fails in just this way.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
    import torch

    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return importlib.import_module("torchvision")
