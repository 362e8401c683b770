"""The columns of every table of the results: units and meanings. No torch."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Column(NamedTuple):
    """What a column holds.

    Attributes:
        unit: of its values; "" where they are pure numbers or text.
        meaning: in a few words.
    """

    unit: str
    meaning: str


ITERATIONS, NATS, TEST_SHARE, BATCH_SHARE = "iterations", "nats", "share of the test set", "share of the batch"
BARRIER = f"{NATS} (or share, with barrier.metric: error)"  # of tables that do not name their metric
BARRIERS = {"loss": NATS, "error": TEST_SHARE}  # by `metric` among the options that a table names
BY_ROW = "as the column `unit` says"

_EXPERIMENT = {"experiment": Column("", "name in the config")}
_T0 = Column(ITERATIONS, "when the fork left the base run")
_DRAW = Column("", "which of the independent perturbations of that t0")
_PAIR = {
    "i": Column(ITERATIONS, "time of the earlier checkpoint"),
    "j": Column(ITERATIONS, "time of the later checkpoint, j >= i"),
}
_STATISTICS = {"running": "with running statistics", "recalibrate": "with statistics computed anew"}


def _under_either(columns: Mapping[str, Column]) -> dict[str, Column]:
    """Each of the columns under either statistics of batch norms."""
    return {
        f"{name}_{bn}": Column(column.unit, f"{column.meaning}, {words}")
        for name, column in columns.items()
        for bn, words in _STATISTICS.items()
    }


_C = {
    "C_parameters": Column("", "dissimilarity 1 - cos of the trainable parameters"),
    "C_statistics": Column("", "the same of parameters and running statistics"),
    "C_state_dict": Column("", "the same of all of the state_dict, with batch norms' counters"),
    "l2": Column("", "Euclidean distance of the parameters"),
}
_DISTANCES = {
    "t0": _T0,
    "t1": Column(ITERATIONS, "when fork and base run are compared"),
    "C": Column("", "dissimilarity 1 - cos of the config's `chaos.vector`, 0 to 2"),
    **_C,
    "epsilon": Column("", "Euclidean norm of the perturbation, as rounding left it"),
}
_LAYER = {
    "layer": Column("", "name of the module that holds its parameters"),
    "place": Column("", "place of the layer in the network, from 0"),
}
_LAYER_DISTANCES = {
    "C": Column("", "dissimilarity 1 - cos of the layer's parameters, 0 to 2; NaN where they are 0"),
    "l2": Column("", "Euclidean distance of the layer's parameters"),
}
_BARRIERS = {
    "B": Column(BARRIER, "barrier on the line between the two networks"),
    "hump": Column(BARRIER, "B+, height of the path over the line between the ends' losses"),
}
_D = {"D": Column(TEST_SHARE, "disagreement: images of which they predict different classes")}
_ENDS = {
    "loss": Column(NATS, "cross-entropy of the fork on the test set"),
    "error": Column(TEST_SHARE, "error of the fork"),
    "base_loss": Column(NATS, "cross-entropy of the base run on the test set"),
    "base_error": Column(TEST_SHARE, "error of the base run"),
}
_CONTROL = {
    **_DISTANCES,
    **_BARRIERS,
    **_D,
    "S": Column("", "kernel distance 1 - cos (Frobenius), 0 to 1; NaN where forks have no kernels"),
    **_under_either(_BARRIERS | _D | _ENDS),
}
_PAIR_ENDS = {
    "loss_i": Column(NATS, "cross-entropy of checkpoint i on the test set"),
    "error_i": Column(TEST_SHARE, "error of checkpoint i"),
    "loss_j": Column(NATS, "cross-entropy of checkpoint j on the test set"),
    "error_j": Column(TEST_SHARE, "error of checkpoint j"),
}
_PAIR_BARRIERS = {
    "value": Column(BARRIER, "barrier: top of the path less the mean of its ends"),
    "hump": Column(BARRIER, "B+, height of the path over the line between the ends' losses"),
    **_PAIR_ENDS,
}
_INTERVAL = {
    "low": Column(BY_ROW, "lower end of the interval over seeds; NaN from one"),
    "high": Column(BY_ROW, "upper end of the interval over seeds; NaN from one"),
}
_COUNTS = {
    "seeds": Column("", "number of base runs"),
    "draws": Column("", "number of perturbations for each t0"),
}

# Table -> column -> what it holds. The last three are of all experiments, the others of one run.
COLUMNS: dict[str, dict[str, Column]] = {
    "C": _PAIR | {"value": Column("", "dissimilarity 1 - cos of the config's `pairs.vector`, 0 to 2")} | _C,
    "S": _PAIR | {"value": Column("", "kernel distance 1 - cos (Frobenius), 0 to 1")},
    "D": _PAIR
    | {"value": Column(TEST_SHARE, "disagreement: images of which the two predict different classes")}
    | _under_either(_D),
    "B": _PAIR
    | {
        **_PAIR_BARRIERS,
        "loss_max": Column(BARRIER, "level at the top of the path"),
        "alpha_max": Column("", "where on the path the top is: 0 at checkpoint j, 1 at checkpoint i"),
        "path": Column(BARRIER, "levels at evenly spaced alpha from checkpoint j to checkpoint i, a list"),
        **_under_either(_PAIR_BARRIERS),
    },
    "chaos": _CONTROL | {"draw": _DRAW},
    "distances": _DISTANCES | {"draw": _DRAW},
    "control": _CONTROL,
    "independent": {
        "t": Column(ITERATIONS, "when the base runs of two seeds are compared"),
        "C": Column("", "dissimilarity 1 - cos of the config's `pairs.vector`, 0 to 2"),
        **_C,
        **_BARRIERS,
        **_D,
        **_under_either(_BARRIERS | _D | _ENDS),
    },
    "perturbations": {
        "t0": _T0,
        "draw": Column("", "which of the independent perturbations of that t0; -1 is the control"),
        "norm": Column("", "how `size` is meant, `chaos.norm` of the config"),
        "size": Column("as `norm` says", "requested size of the perturbation"),
        "requested": Column("", "Euclidean norm of the perturbation before rounding"),
        "realised": Column("", "Euclidean norm of the perturbation, as rounding left it"),
        "changed": Column("share of the parameters", "parameters that rounding left different"),
    },
    "linearized": {
        "switch": Column(ITERATIONS, "when standard training became linearized"),
        "iteration": Column(ITERATIONS, "when the linearized network was evaluated"),
        "test_loss": Column(NATS, "cross-entropy on the test set"),
        "test_accuracy": Column(TEST_SHARE, "images classified correctly"),
        "loss": Column(NATS, "cross-entropy on the batch of that iteration"),
        "accuracy": Column(BATCH_SHARE, "images of that batch classified correctly"),
    },
    "cone": {
        "iteration": Column(ITERATIONS, "time of the checkpoint"),
        "x": Column("", "unit kernel along the first principal axis, from the kernel of the first checkpoint"),
        "y": Column("", "the same along the second axis"),
        "z": Column("", "the same along the third axis"),
    },
    "pointwise": {
        "t": Column(ITERATIONS, "time of the checkpoint"),
        "lr": Column("", "learning rate of the step that led there"),
        "edge": Column("", "2 (1 + momentum) / lr, where SGD on full batches becomes unstable; NaN for others"),
        "small_batch_edge": Column("", "2 (1 - momentum) / lr, the same on small batches"),
        "sharpness": Column("", "largest eigenvalue of the Hessian of the training loss; NaN if not found"),
        "sharpness_residual": Column("", "of that eigenvalue and its vector, |Hv - value v| / |value|"),
        "batch_sharpness": Column("", "curvature of a batch's loss along its own gradient, mean over batches"),
        "gradient_covariance": Column("", "trace of the covariance of the samples' gradients"),
        "gradient_norm": Column("", "Euclidean norm of their mean"),
        "parameter_norm": Column("", "Euclidean norm of the parameters"),
        "scale": Column("", "trace of the kernel; NaN, as the next two, where there is no kernel"),
        "effective_rank": Column("", "exp of the entropy of the kernel's eigenvalues, 1 to n"),
        "alignment": Column("", "centred alignment of the kernel with the labels, -1 to 1"),
    },
    "layers": {
        "t": Column(ITERATIONS, "time of the checkpoint"),
        **_LAYER,
        "parameters": Column("", "number of its trainable parameters"),
        "norm": Column("", "their Euclidean norm"),
        "trace": Column("", "trace of the layer's part of the kernel"),
        "share": Column("share of the kernel", "of the traces of all layers"),
    },
    "layer_pairs": _PAIR
    | {
        **_LAYER,
        **_LAYER_DISTANCES,
        "S": Column(
            "", "kernel distance 1 - cos (Frobenius) of the layer's part of the kernel, 0 to 1; NaN if it is 0"
        ),
    },
    "layer_chaos": {
        "t0": _T0,
        "t1": Column(ITERATIONS, "when fork and base run are compared; t1 = t0 is the perturbation"),
        "draw": Column("", "which of the independent perturbations of that t0; -1 is the control"),
        **_LAYER,
        **_LAYER_DISTANCES,
        "norm": Column("", "Euclidean norm of the base run's parameters"),
    },
    "plane": {
        "t0": Column(ITERATIONS, "when the fork left the base run; -1 for the base run itself"),
        "draw": Column("", "which of the independent perturbations of that t0; -1 for the base run"),
        "iteration": Column(ITERATIONS, "time of the checkpoint"),
        "x": Column("", "parameters along the first principal axis, from their mean"),
        "y": Column("", "the same along the second axis"),
    },
    "claims": _EXPERIMENT
    | {
        "claim": Column("", "short name"),
        "text": Column("", "what the papers say"),
        "definition": Column("", "what is computed"),
        "paper": Column("", "the papers' own value or picture, in words"),
        "holds_from": Column(BY_ROW, "lowest value with which the claim holds"),
        "holds_to": Column(BY_ROW, "highest value with which the claim holds"),
        "bound": Column("", "why these, where the papers name no number; empty where they do"),
        "value": Column(BY_ROW, "of the whole experiment; NaN where it cannot be judged"),
        **_INTERVAL,
        "unit": Column("", "of value, interval and bounds"),
        "verdict": Column("", "reproduced, not reproduced, undecided, untested or outside this run's scale"),
        "reason": Column("", "why the verdict is not plainer"),
        "lower_from": Column(
            BY_ROW, "lowest value that holds_from could have with the same verdict; NaN without bound"
        ),
        "lower_to": Column(BY_ROW, "highest value that holds_from could have with the same verdict"),
        "upper_from": Column(BY_ROW, "lowest value that holds_to could have with the same verdict"),
        "upper_to": Column(BY_ROW, "highest value that holds_to could have with the same verdict"),
        "figure": Column("", "figure that shows it"),
        **_COUNTS,
    },
    "phases": _EXPERIMENT
    | {
        "quantity": Column("", "what is estimated: inflection, sign change, stability or cone width"),
        "estimator": Column("", "from what: a distance of forks, kernels, parameters, or after which tau"),
        "value": Column(BY_ROW, "the estimate; NaN where there is none"),
        **_INTERVAL,
        "gain": Column("standard errors", "by how much a sharp change predicts other seeds better than smooth curves"),
        "width": Column("", "factor in time from 10 to 90 % of a change of level"),
        "fall": Column("as in the definition", "of the curve, in all; log10 C in decades"),
        "found": Column("", "whether the change is sharp, and large enough to count"),
        "reason": Column("", "why it does not count"),
        "unit": Column("", "of value and interval"),
        **_COUNTS,
        "points": Column("", "number of points of the curve that is read"),
        "definition": Column("", "what is computed"),
    },
    "scaling": {
        "axis": Column("", "what grows: checkpoints, test images, inputs of the kernel (n) or parameters"),
        "stage": Column("", "what is timed"),
        "x": Column("", "how many there are of what grows"),
        "seconds": Column("seconds", "the shortest of three measurements"),
        "exponent": Column("", "p of the fit seconds ~ x^p along this axis"),
    },
}
# What a table of several seeds has besides.
SEED = Column("", "which repetition of the experiment")


def of(table: str, columns: Iterable[str], metadata: Mapping) -> dict[str, str]:
    """The units of a table's columns.

    Args:
        table: its name, a key of `COLUMNS`.
        columns: those that it has.
        metadata: the file's; a barrier's `options` name its metric.

    Returns:
        column -> unit; columns that are not in `COLUMNS` are left out.
    """
    barrier = BARRIERS.get(metadata.get("options", {}).get("metric"), BARRIER)
    known = {"seed": SEED, **COLUMNS.get(table, {})}
    units = {column: known[column].unit for column in columns if column in known}
    return {column: barrier if unit == BARRIER else unit for column, unit in units.items()}
