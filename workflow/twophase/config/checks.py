"""Checks of a config against what is known of data sets, networks and figures before anything is read."""

import difflib
import importlib.util
from collections.abc import Mapping

from twophase.config import schema
from twophase.data import prepare, sources
from twophase.data.dataset import too_few, too_much_padding
from twophase.errors import UserError
from twophase.networks import names as model_names


def check_titles(experiments: Mapping) -> None:
    """Figures know experiments by their titles, and take what stands between two dollar signs for mathematics."""
    known: dict = {}
    for name, title in ((name, experiment["title"]) for name, experiment in experiments.items()):
        if title in known:
            raise UserError(
                f"experiments.{name}.title: {title!r} is also what experiments.{known[title]} is called, "
                "and figures could not tell them apart; change one."
            )
        known[title] = name
        if title.count("$") > 1 and importlib.util.find_spec("matplotlib"):
            from matplotlib.mathtext import MathTextParser

            try:
                MathTextParser("path").parse(title)
            except ValueError:
                raise UserError(
                    f"experiments.{name}.title: {title!r} has a formula between its dollar signs that matplotlib "
                    "cannot read; mend it, or write \\$ for a dollar sign."
                ) from None


def check_colormaps(figures: Mapping) -> None:
    """Looks up names other than the default; only where the plotting library is at hand, as it is for whoever plots."""
    default = schema.load()["$defs"]["figures"]["properties"]["colormap"]["default"]
    for key, part in (("figures", figures), *((f"figures.{k}", v) for k, v in figures.items() if isinstance(v, dict))):
        name = part.get("colormap", default)
        if name != default and importlib.util.find_spec("seaborn"):
            import matplotlib
            import seaborn  # noqa: F401  it registers its own

            if name not in matplotlib.colormaps:
                close = difflib.get_close_matches(name, matplotlib.colormaps, 1)
                hint = f"did you mean {close[0]}?" if close else "matplotlib and seaborn list theirs."
                raise UserError(f"{key}.colormap: unknown colour map '{name}'; {hint}")


def check_dataset(key: str, dataset: dict) -> None:
    source = dataset["source"]
    if source not in prepare.SOURCES:
        raise UserError(f"{key}.source: unknown data set '{source}'; known: {', '.join(prepare.SOURCES)}.")
    if source == "imagefolder" and not dataset["root"]:
        raise UserError(f"{key}.root: an image folder needs the path of its folder or zip file.")
    if source in sources.OWN and {*"{}"} & {*(dataset["root"] or "")}:
        raise UserError(f"{key}.root: {dataset['root']!r} has braces, which Snakemake takes for wildcards; rename it.")
    for option in ("resize", "mean", "std") if source == "text" else ("context",):
        if dataset[option] is not None:
            what, whose = ("a text", "images") if source == "text" else ("images", "a text")
            raise UserError(f"{key}.{option}: has no effect on {what}, it is for {whose}; leave it out.")
    for part, sizes in (("train_size", sources.TRAIN_SIZES), ("test_size", sources.TEST_SIZES)):
        if dataset[part] and source in sizes and dataset[part] > sizes[source]:
            raise UserError(f"{key}.{part}: {source} has {sizes[source]} images, not {dataset[part]}.")
    if source in sources.IMAGES:
        classes, channels = sources.NUM_CLASSES[source], sources.IMAGES[source][0]
        if dataset["train_size"] and dataset["train_size"] < classes:
            raise UserError(
                f"{key}.train_size: {dataset['train_size']} images cannot show the {classes} classes of {source}; "
                "keep more."
            )
        for statistic in ("mean", "std"):
            given = dataset[statistic]
            if given is not None and len(given) != channels:
                raise UserError(
                    f"{key}.{statistic}: has {len(given)} numbers; the images of {source} need {channels}, "
                    "one for each channel."
                )


def check_fit(key: str, experiment: Mapping, dataset: Mapping) -> None:
    """What the data set's size, known before it is read, says about the network and about how many images are used."""
    train = dataset["train_size"] or sources.TRAIN_SIZES.get(dataset["source"])
    test = dataset["test_size"] or sources.TEST_SIZES.get(dataset["source"])
    for path, used, there, part in (
        ("training.batch_size", experiment["training"]["batch_size"], train, "train"),
        ("kernel.n", experiment["kernel"]["n"], train, "train"),
        ("pointwise.examples", experiment["pointwise"]["grid"] and experiment["pointwise"]["examples"], train, "train"),
        ("barrier.test_size", experiment["barrier"]["test_size"], test, "test"),
    ):
        if used and there and used > there:
            raise UserError(f"{key}.{path}: {too_few(used, there, part)}")
    text = dataset["source"] == "text"
    if problem := model_names.wrong_kind(experiment["model"]["name"], text):
        raise UserError(f"{key}.model: {problem}.")
    for option, value in experiment["training"]["augment"].items():
        if text and value:
            raise UserError(
                f"{key}.training.augment.{option}: {value} is for images, and the data set is a text; drop it."
            )
    if dataset["source"] in sources.IMAGES:
        _, *size = sources.IMAGES[dataset["source"]]
        size = [dataset["resize"] or side for side in size]
        problem = model_names.wrong_size(size=size, **experiment["model"])
        if problem:
            raise UserError(f"{key}.model: {problem}")
        problem = too_much_padding(experiment["training"]["augment"]["crop"], size)
        if problem:
            raise UserError(f"{key}.training.augment.crop: {problem}")


def check_forks(key: str, chaos: Mapping, augment: Mapping) -> None:
    """What sets forks apart from the base run must be something, and go together.

    Args:
        key: of the part `chaos`.
        augment: the config's `training.augment`.
    """
    shared = chaos["noise"] == "shared"
    if chaos["size"] == 0 and shared:
        raise UserError(
            f"{key}.size: with 0 and the base run's noise, forks are the base run; give a size, or new noise."
        )
    if chaos["noise"] in ("augmentation", "both") and not augment["crop"] and not augment["flip"]:
        raise UserError(
            f"{key}.noise: {chaos['noise']} needs training.augment, and that has neither crop nor flip; set one, or "
            "take order."
        )
    if chaos["direction"] == "gradient":
        if chaos["norm"] not in ("l2", "relative", "initial"):
            raise UserError(
                f"{key}.direction: gradient needs a norm that is a length, and {chaos['norm']} is none; set norm to "
                "l2, relative or initial."
            )
        if chaos["draws"] > 1 and shared:
            raise UserError(
                f"{key}.draws: all draws along the gradient are the same; set draws to 1, or take new noise."
            )
