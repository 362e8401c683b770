"""What costs depend on: sizes of data and networks, and the settings that unit costs go with. No torch."""

from collections.abc import Mapping
from pathlib import Path

from twophase.data import sources
from twophase.errors import UserError
from twophase.files import storage
from twophase.networks import names as model_names

# In place of what only building it would tell: torchvision's largest common classifier, VGG-16, has 138 million.
UNKNOWN = {"image": (3, 224, 224), "classes": 1000, "train": 100_000, "test": 20_000, "parameters": 150_000_000}


def shape(dataset: Mapping, path_to_data: str | Path | None) -> dict | None:
    """Sizes of a data set: `image` (channels, height, width), `classes`, `train` and `test` (images).

    Args:
        dataset: as in the config.
        path_to_data: the canonical file, whose header is read where the config alone does not say.

    Returns:
        None where the file would be needed and is not there or damaged, which is for the job that reads it to say.
    """
    source = dataset["source"]
    if source in sources.IMAGES:
        channels, *size = sources.IMAGES[source]
        image = (channels, *([dataset["resize"]] * 2 if dataset["resize"] else size))
        train = dataset["train_size"] or sources.TRAIN_SIZES[source]
        test = dataset["test_size"] or sources.TEST_SIZES[source]
        return {"image": list(image), "classes": sources.NUM_CLASSES[source], "train": train, "test": test}
    if path_to_data is None:
        return None
    try:
        shapes, facts = storage.read_header(path_to_data)
        (train, *image), (test, *_) = shapes["train_images"], shapes["test_images"]
        return {"image": image, "classes": len(facts["classes"]), "train": train, "test": test}
    except (UserError, KeyError):
        return None


def about(experiment: Mapping, shape: Mapping | None = None) -> dict:
    """All that the unit costs of an experiment depend on; what is measured for one holds for its equals."""
    training, kernel = experiment["training"], experiment["kernel"]
    counts = {"seeds": len(experiment["seeds"]), "points": len(kernel["grid"])}
    return {
        "model": experiment["model"],
        "training": {k: v for k, v in training.items() if k not in ("iterations", "lr", "schedule")},
        "shape": shape,
        "kernel": {key: kernel[key] for key in ("n", "reduce", "chunk")},
        "phases": experiment["phases"] | counts,
    }


def of_network(experiment: Mapping, shape: Mapping | None, measured: Mapping | None = None) -> dict:
    """The shape of the data, number of `parameters`, bytes of a `state` and of the `optimizer`'s in a checkpoint.

    Args:
        measured: the same from a calibration, where there is one; else by formula, or bounds.
    """
    known = UNKNOWN | (shape or {})
    if measured:
        return known | measured
    item = 8 if experiment["training"]["dtype"] == "float64" else 4
    count = model_names.parameters(num_classes=known["classes"], image=known["image"], **experiment["model"])
    count = count or UNKNOWN["parameters"]
    training = experiment["training"]
    buffers = 2 if training["optimizer"] == "adam" else int(training["momentum"] > 0)
    return known | {"parameters": count, "item": item, "state": item * count, "optimizer": item * count * buffers}


def statistics(experiment: Mapping) -> int:
    """Under how many statistics of batch norms a network is evaluated: one without, two where nobody knows."""
    model = experiment["model"]
    unknown = model_names.family(model["name"]) in (*model_names.LIBRARIES, "own")
    return 2 if unknown or model["norm"] == "batch" else 1
