"""Data sets: where they come from, their canonical file, and that file as tensors."""

__all__ = ["dataset", "imagefolder", "prepare", "sources", "text", "torchvision_sets"]
