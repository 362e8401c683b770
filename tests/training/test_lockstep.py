"""Lock-step forks: solo forks in exact arithmetic, members that differ by epsilon alone, the same files."""

import itertools
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from helpers import apart, checkpoint, data, files, net, run, same_bits, settings
from twophase.errors import UserError
from twophase.files import layout, storage
from twophase.files.layout import CONTROL, TWIN, Fork, Stops, step_file
from twophase.measures import distances
from twophase.networks import models
from twophase.networks import state as network_state
from twophase.training import forks, lockstep, loop, output
from twophase.training.output import Output
from twophase.training.perturbation import Perturbation
from twophase.training.setup import Experiment

SEED, STEPS, DENSE, T0S = 3, [0, 3, 7, 11, 14], [5, 12], [0, 3, 11]
AUGMENTED = {"crop": 1, "flip": True}
OPTIMIZERS = {
    "sgd": {"schedule": {"milestones": [5]}},
    "plain sgd": {"momentum": 0.0, "weight_decay": 0.0},
    "nesterov": {"nesterov": True, "augment": AUGMENTED},
    "adam": {"optimizer": "adam", "lr": 0.003, "weight_decay": 0.02, "augment": AUGMENTED},
}
CASES = [*itertools.product(OPTIMIZERS, [torch.float32]), ("adam", torch.float64)]


def config(name, dtype):
    return settings(**OPTIMIZERS[name], dtype=str(dtype).removeprefix("torch."))


def losses_of_copies(network, content, config, t0, size):
    """The losses of `lockstep.check`; skips where the engine refuses this machine."""
    try:
        experiment = Experiment(network, content, config, SEED)
        return lockstep.check(experiment, t0, network_state.state_of(network), size, 3)
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def equal_members():
    """Skips these tests on a machine whose arithmetic depends on the place in a stack, where the engine refuses.

    Its reason may not be this engine: `test_members_share_no_convolution_and_no_matrix_product` never skips.
    """
    sizes = (2, 3, 4, 7, 10)  # of the stacks below
    for name, dtype, size in itertools.product(OPTIMIZERS, (torch.float32, torch.float64), sizes):
        network = net(9, dtype, dropout=0.4)
        losses_of_copies(network, data(dtype), config(name, dtype), 0, size)


@pytest.fixture(scope="module")
def bases(equal_members, tmp_path_factory):
    """A base run with batch norms and dropout for each optimizer and precision."""
    folders = {}
    for name, dtype in itertools.product(OPTIMIZERS, (torch.float32, torch.float64)):
        folders[name, dtype] = tmp_path_factory.mktemp("base")
        run(
            folders[name, dtype],
            net(dtype=dtype, dropout=0.4),
            data(dtype),
            config(name, dtype),
            [*STEPS, *DENSE],
            SEED,
        )
    return folders


def stops(t0):
    return Stops(tuple(t1 for t1 in STEPS if t1 > t0), tuple(t1 for t1 in DENSE if t1 > t0))


def train(
    base,
    folder,
    name,
    dtype,
    t0s=T0S,
    draws=2,
    control=T0S,
    size=1e-7,
    count=3,
    changes=None,
    stops=stops,
    noise="shared",
):
    """The block of forks of a base run in lock-step."""
    losses = storage.read_table(base / "log.parquet")["loss"].to_numpy()
    # All that counts comes from the base run's state.
    experiment = Experiment(net(9, dtype, dropout=0.4), data(dtype), config(name, dtype) | (changes or {}), SEED)
    lockstep.run(
        experiment,
        checkpoint(base, min(t0s)),
        losses[min(t0s) : min(t0s) + count],
        layout.forks(t0s, draws, control),
        {t0: stops(t0) for t0 in t0s},
        Perturbation("per_coordinate", size, noise=noise),
        Output(folder, {"settings": "x"}),
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_in_double_precision_it_is_the_solo_run(bases, tmp_path, name):
    base, double = bases[name, torch.float64], torch.float64
    train(base, tmp_path, name, double, size=1e-2)
    for fork in layout.forks(T0S, 2, T0S):
        t0, draw = fork
        folder = tmp_path / fork.folder
        solo = tmp_path / "solo" / folder.name / str(t0)
        experiment = Experiment(net(9, double, dropout=0.4), data(double), config(name, double), SEED)
        output = Output(solo, {"settings": "x"}, distances.OF_PAIR)
        forks.train(
            experiment, fork, partial(checkpoint, base), stops(t0), Perturbation("per_coordinate", 1e-2), output
        )
        logs = [storage.read_table(path / "log.parquet").set_index("iteration") for path in (folder, solo)]
        assert logs[0].index[logs[0]["l2"].notna()].tolist() == sorted(stops(t0).all)
        for column in distances.OF_PAIR:
            np.testing.assert_allclose(*(log[column].loc[t0:] for log in logs), rtol=1e-6, atol=1e-14)
        assert files(folder).keys() == files(solo).keys()
        for t1 in (t for t in STEPS if t > t0):
            ours, theirs = checkpoint(folder, t1), checkpoint(solo, t1)
            assert ours.keys() == theirs.keys()
            for key in theirs:
                assert ours[key].dtype == theirs[key].dtype
                np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-12, atol=1e-12)
            assert storage.read_metadata(folder / step_file(t1)) == storage.read_metadata(solo / step_file(t1))
            if draw != CONTROL:  # epsilon is there, and stays visible
                assert not np.allclose(theirs["fc.weight"], checkpoint(base, t1)["fc.weight"], rtol=0, atol=1e-4)
        for table in ("log.parquet", "perturbation.parquet"):
            ours, theirs = (storage.read_table(where / table) for where in (folder, solo))
            assert (ours.dtypes == theirs.dtypes).all()
            if table == "log.parquet":  # bits of gradients, which round differently
                ours, theirs = (log.drop(columns="gradient") for log in (ours, theirs))
            numbers = theirs.select_dtypes("number").columns
            np.testing.assert_allclose(ours[numbers], theirs[numbers], rtol=1e-10, atol=1e-12)
            assert ours.drop(columns=numbers).equals(theirs.drop(columns=numbers))


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_twins_in_one_stack_are_equal_bit_by_bit(bases, tmp_path, name, dtype):
    train(bases[name, dtype], tmp_path, name, dtype)
    for t0 in T0S:
        control = tmp_path / Fork(t0, CONTROL).folder
        for t1 in (t for t in STEPS if t > t0):
            twin = checkpoint(tmp_path / TWIN, t1)
            assert same_bits(checkpoint(control, t1), twin)
            one, other = (checkpoint(tmp_path / Fork(t0, draw).folder, t1) for draw in (0, 1))
            assert not np.array_equal(one["fc.weight"], twin["fc.weight"])
            assert not np.array_equal(one["fc.weight"], other["fc.weight"])
        logs = [storage.read_table(f / "log.parquet").set_index("iteration") for f in (control, tmp_path / TWIN)]
        assert logs[0][logs[1].columns].equals(logs[1].loc[t0:])
        assert (logs[0].loc[sorted(stops(t0).all), list(distances.OF_PAIR)] == 0).all(axis=None)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_logs_have_the_distances_from_the_checkpoints_of_the_twin(bases, tmp_path, name):
    """Where only distances are asked for, too, which leaves no checkpoint."""
    base, names = bases[name, torch.float32], network_state.trainable(net())
    train(base, tmp_path / "plain", name, torch.float32, size=1e-3)
    train(base, tmp_path / "kept", name, torch.float32, size=1e-3, stops=lambda t0: Stops(tuple(sorted(stops(t0).all))))
    for fork in layout.forks(T0S, 2, []):
        times, folder = sorted(stops(fork.t0).all), tmp_path / "kept" / fork.folder
        logs = [tmp_path / block / fork.folder / "log.parquet" for block in ("plain", "kept")]
        assert logs[0].read_bytes() == logs[1].read_bytes()
        log = storage.read_table(logs[0]).set_index("iteration")
        assert log.index[log["l2"].notna()].tolist() == times
        for t1 in times:
            expected = apart(checkpoint(folder, t1), checkpoint(tmp_path / "kept" / TWIN, t1), names)
            assert log.loc[t1, list(distances.OF_PAIR)].to_dict() == pytest.approx(expected, rel=1e-9, abs=0)
    for fork, kept in itertools.product(layout.forks(T0S, 2, T0S), DENSE):
        assert not (tmp_path / "plain" / fork.folder / step_file(kept)).exists()


def test_the_twin_starts_with_the_block_and_is_the_base_run_up_to_rounding(bases, tmp_path):
    base = bases["sgd", torch.float32]
    train(base, tmp_path, "sgd", torch.float32, t0s=[7, 3], draws=1, control=[])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t0-3", "t0-7", TWIN]
    assert files(tmp_path / TWIN).keys() == {"log.parquet", *map(step_file, (7, 11, 14))}
    log = storage.read_table(tmp_path / TWIN / "log.parquet").set_index("iteration")
    whole = storage.read_table(base / "log.parquet").set_index("iteration")
    assert log.index.tolist() == list(range(3, 15))
    np.testing.assert_allclose(log["loss"][:-1], whole["loss"][3:-1], rtol=1e-3)


NETWORKS = {
    "resnet A": ({"name": "resnet8", "width": 3}, (1, 8)),
    "resnet B": ({"name": "resnet8", "width": 3, "shortcut": "B"}, (1, 8)),
    "lenet": ({"name": "lenet5"}, (1, 12)),
    "fully connected": ({"name": "lenet300"}, (1, 4)),
    "transformer": ({"name": "transformer", "width": 8, "heads": 2}, (1, 4)),
    "transformer without norms": ({"name": "transformer", "width": 8, "depth": 1, "norm": "none"}, (1, 4)),
    "vgg": ({"name": "vgg11", "width": 0.04}, (3, 32)),
    "vgg without batch norm": ({"name": "vgg11", "width": 0.04, "norm": "none"}, (3, 32)),
    "resnet, layer norms": ({"name": "resnet8", "width": 3, "norm": "layer"}, (1, 8)),
    "resnet, group norms": ({"name": "resnet8", "width": 16, "shortcut": "B", "norm": "group"}, (1, 8)),
    "resnet without norms": ({"name": "resnet8", "width": 3, "shortcut": "B", "norm": "none"}, (1, 8)),
    "vgg, group norms": ({"name": "vgg11", "width": 0.13, "norm": "group"}, (3, 32)),
    "vit": ({"name": "vit", "patch": 2, "width": 8, "heads": 2}, (1, 4)),
    "vit without norms": ({"name": "vit", "patch": 4, "width": 8, "depth": 1, "norm": "none"}, (3, 8)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_member_of_a_stack_is_a_network_of_its_own(name):
    """Logits, gradients and running statistics of different members, against each network alone."""
    options, (channels, side) = NETWORKS[name]
    torch.manual_seed(0)
    networks = [models.build(**options, num_classes=4, in_channels=channels, image_size=side).double() for _ in "abc"]
    states = [network_state.state_of(network) for network in networks]
    stacked, _ = lockstep.restore(Experiment(networks[0], data(), settings(), SEED), lockstep.stack(states), 3)
    stack = stacked.network
    inputs, labels = torch.randn(5, channels, side, side, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0])
    torch.manual_seed(1)
    logits = stack.train()(inputs)
    loop.mean_loss(logits, labels).sum().backward()
    after = network_state.state_of(stack.members)
    gradients = {key: p.grad for key, p in stack.members.named_parameters()}
    for k, network in enumerate(networks):
        network.load_state_dict({key: torch.from_numpy(v.copy()) for key, v in states[k].items()})
        torch.manual_seed(1)
        alone = network.train()(inputs)
        torch.testing.assert_close(logits[k], alone, rtol=1e-12, atol=1e-12)
        loop.mean_loss(alone, labels).backward()
        for key, p in network.named_parameters():
            torch.testing.assert_close(gradients[key][k], p.grad, rtol=1e-9, atol=1e-12)
        for key, value in network_state.state_of(network).items():
            np.testing.assert_allclose(lockstep.member(after, k)[key], value, rtol=1e-12, atol=1e-14)


class Products(TorchDispatchMode):
    """Notes the convolutions and matrix products of a `with` block: their names, and of convolutions the groups."""

    def __init__(self):
        super().__init__()
        self.groups, self.products = [], set()

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        name = function.overloadpacket.__name__
        if name in ("convolution", "convolution_backward"):
            self.groups.append(arguments[8 if name == "convolution" else 9])
        elif name in ("mm", "addmm", "mv", "bmm", "baddbmm"):
            self.products.add(name)
        return function(*arguments, **(options or {}))


@pytest.mark.parametrize("name", NETWORKS)
def test_members_share_no_convolution_and_no_matrix_product(name):
    """Else the kernels of some machines would treat the last members differently."""
    options, (channels, side) = NETWORKS[name]
    network = models.build(**options, num_classes=4, in_channels=channels, image_size=(side, side))
    size, alone = 3, Products()
    experiment = Experiment(network, data(), settings(), SEED)
    stacked, _ = lockstep.restore(experiment, lockstep.stack([network_state.state_of(network)] * size), size)
    stack = stacked.network
    inputs, labels = torch.randn(5, channels, side, side), torch.tensor([0, 1, 2, 3, 0])
    with alone:
        loop.mean_loss(network.train()(inputs), labels).backward()
    with Products() as together:
        loop.mean_loss(stack.train()(inputs), labels).sum().backward()
    assert together.groups == [size * groups for groups in alone.groups]
    assert together.groups or options["name"] in ("lenet300", "transformer", "vit")
    assert together.products <= {"bmm", "baddbmm"}


@pytest.mark.usefixtures("equal_members")
@pytest.mark.parametrize("name", NETWORKS)
def test_copies_of_a_network_stay_equal_wherever_they_stand(name):
    options, (channels, side) = NETWORKS[name]
    torch.manual_seed(0)
    network = models.build(**options, num_classes=3, in_channels=channels, image_size=side)
    content = data(side=side)
    if channels == 3:
        object.__setattr__(content, "train_images", content.train_images.expand(-1, 3, -1, -1))
    losses = losses_of_copies(network, content, settings(), 2, 5)
    assert len(losses) == 3
    assert np.isfinite(losses).all()


ODD = """
import sys
from helpers import data, net, settings
from twophase.errors import UserError
from twophase.networks import models
from twophase.networks import state as network_state
from twophase.training import lockstep
from twophase.training.setup import Experiment
import torch

torch.set_num_threads(1)
lockstep.ignore_alignment()

def transformer(dtype, side):
    torch.manual_seed(9)
    return models.build("transformer", 3, 1, side, width=6, heads=2).to(dtype)

def check(dtype, side, network=None):
    network = network or net(9, dtype, side=side)
    content = data(dtype, train=16, side=side)  # the fourth batch is a single image
    config = settings(dtype=str(dtype).removeprefix("torch."))
    lockstep.check(Experiment(network, content, config, 3), 0, network_state.state_of(network), 7, 9)

for dtype in (torch.float32, torch.float64):
    try:
        check(dtype, 8)
    except UserError as error:
        print(error)
        sys.exit(77)
    check(dtype, 9)  # 81 pixels, of which no two members' begin at the same place of a vector
    check(dtype, 3, transformer(dtype, 3))  # nor do 9 positions of 6 numbers
"""


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="this build of torch has no MKL to be told of it")
@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() == "DEFAULT", reason="MKL can be told of it on CPUs with AVX2"
)
def test_images_of_an_odd_size_leave_members_equal():
    """In a process of its own: MKL looks at its setting once."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(["workflow", "tests"])}
    environment.pop("MKL_CBWR", None)  # is the engine's to set
    done = subprocess.run(
        [sys.executable, "-c", ODD],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode == 77:
        pytest.skip(f"of an even size as well: {done.stdout}")
    assert done.returncode == 0, done.stderr


def test_a_stack_leaves_the_network_alone_and_keeps_what_is_frozen():
    network = net(dropout=0.4)
    network.conv1.weight.requires_grad_(False)
    before = {key: value.copy() for key, value in network_state.state_of(network).items()}
    experiment = Experiment(network, data(), settings(), SEED)
    stacked, optimizer = lockstep.restore(experiment, lockstep.stack([before] * 2), 2)
    log = loop.empty_log(3, data(), 2)
    list(loop.train(stacked, optimizer, 0, {3}, log))
    assert same_bits(network_state.state_of(network), before)
    after = network_state.state_of(stacked.network.members)
    assert np.array_equal(after["conv1.weight"], [before["conv1.weight"]] * 2)
    assert not np.array_equal(after["conv2.weight"], [before["conv2.weight"]] * 2)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_members_of_a_state_are_what_was_stacked(bases, optimizer):
    states = [checkpoint(bases[optimizer, torch.float32], 7) for _ in range(2)]
    states[1] = {k: v if k.startswith("optimizer/step") else v + v.dtype.type(1) for k, v in states[1].items()}
    stacked = lockstep.stack(states)
    assert all(same_bits(lockstep.member(stacked, k), states[k]) for k in (0, 1))


# --- checks


def test_a_place_in_the_stack_that_changes_the_arithmetic_is_noticed(bases, tmp_path, monkeypatch):
    forward = lockstep.Stack.forward

    def uneven(self, inputs):
        logits = forward(self, inputs)
        factors = torch.ones(len(logits), 1, 1)
        factors[-1] += 1e-6
        return logits * factors

    monkeypatch.setattr(lockstep.Stack, "forward", uneven)
    with pytest.raises(UserError, match=r"of 4 equal networks .* Set training.engine: solo"):
        train(bases["sgd", torch.float32], tmp_path, "sgd", torch.float32)
    assert not files(tmp_path)


@pytest.mark.parametrize("changes", [{"batch_size": 4}, {"lr": 0.5}, {"augment": {"crop": 0, "flip": True}}])
def test_a_twin_that_is_not_the_base_run_is_noticed(bases, tmp_path, changes):
    with pytest.raises(UserError, match=r"the twin's losses are .* more than rounding"):
        train(bases["sgd", torch.float32], tmp_path, "sgd", torch.float32, t0s=[3], changes=changes)
    assert not files(tmp_path)


def test_a_member_that_diverges_ends_the_run_and_is_named(bases, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "PAUSE", 1)
    original = forks.start

    def start(experiment, fork, *rest):
        state = original(experiment, fork, *rest)
        return state | {"fc.weight": state["fc.weight"] * np.float32(np.inf if fork.draw == 1 else 1)}

    monkeypatch.setattr(forks, "start", start)
    # At t0 = 3, when the members are the twin, draws 0 and 1.
    with pytest.raises(loop.Diverged, match="of member 2 of iteration 3 is not finite"):
        train(bases["sgd", torch.float32], tmp_path, "sgd", torch.float32, t0s=[3], control=[])
    assert not list(tmp_path.rglob("log.parquet"))


# --- a run that is interrupted


class Stop(BaseException):
    """Like a KeyboardInterrupt: nothing may catch it."""


@pytest.fixture(scope="module")
def undisturbed(bases, tmp_path_factory):
    found = {}
    for name in ("sgd", "adam"):
        folder = tmp_path_factory.mktemp("undisturbed")
        train(bases[name, torch.float32], folder, name, torch.float32)
        found[name] = files(folder)
    return found


@hypothesis_settings(max_examples=12)
@given(
    name=st.sampled_from(["sgd", "adam"]),
    pause=st.integers(1, 6),
    crashes=st.lists(st.integers(0, 13), min_size=1, max_size=2).map(sorted),
)
def test_interrupted_anywhere_and_gone_on_with_it_is_the_undisturbed_run(
    bases, undisturbed, tmp_path_factory, name, pause, crashes
):
    folder, original, iterations = tmp_path_factory.mktemp("interrupted"), loop.batch, []
    for crash in [*crashes, None]:
        resumed_at = -1
        if (folder / "resume.safetensors").exists():
            resumed_at = int(storage.read_tensors(folder / "resume.safetensors")["iteration"])

        def batch(content, settings, seed, t, new, crash=crash):
            if t == crash:
                raise Stop
            iterations.append(t)
            return original(content, settings, seed, t, new)

        iterations.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(output, "SAVE_AFTER", 0.0)
            patch.setattr(loop, "PAUSE", pause)
            patch.setattr(loop, "batch", batch)
            try:
                train(bases[name, torch.float32], folder, name, torch.float32)
            except Stop:
                assert not list(folder.rglob("log.parquet"))
        if iterations:
            assert min(iterations) >= resumed_at
    assert files(folder) == undisturbed[name]


def test_a_finished_block_is_not_trained_again(bases, tmp_path, monkeypatch):
    train(bases["sgd", torch.float32], tmp_path, "sgd", torch.float32, t0s=[11])
    before = files(tmp_path)
    monkeypatch.setattr(loop, "batch", None)
    train(bases["sgd", torch.float32], tmp_path, "sgd", torch.float32, t0s=[11])
    assert files(tmp_path) == before


# --- new noise


@pytest.mark.parametrize("name", ["nesterov", "adam"])
@pytest.mark.parametrize("noise", ["order", "augmentation", "both"])
def test_with_new_noise_it_is_the_solo_run_in_double_precision(bases, tmp_path, name, noise):
    base, double = bases[name, torch.float64], torch.float64
    train(base, tmp_path, name, double, control=[3], size=0.0, noise=noise)
    for fork in layout.forks(T0S, 2, [3]):
        experiment = Experiment(net(9, double, dropout=0.4), data(double), config(name, double), SEED)
        output = Output(tmp_path / "solo" / fork.folder, {}, distances.OF_PAIR)
        perturbation = Perturbation("per_coordinate", 0.0, noise=noise)
        forks.train(experiment, fork, partial(checkpoint, base), stops(fork.t0), perturbation, output)
        for t1 in stops(fork.t0).t1s:
            ours, theirs = checkpoint(tmp_path / fork.folder, t1), checkpoint(output.folder, t1)
            for key in theirs:
                np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-12, atol=1e-12)
            apart = not np.allclose(theirs["fc.weight"], checkpoint(base, t1)["fc.weight"], rtol=0, atol=1e-6)
            assert apart != fork.is_control


def test_with_new_noise_the_control_is_the_twin_bit_by_bit(bases, tmp_path):
    train(bases["nesterov", torch.float32], tmp_path, "nesterov", torch.float32, noise="both")
    for t0 in T0S:
        for t1 in stops(t0).t1s:
            twin = checkpoint(tmp_path / TWIN, t1)
            assert same_bits(checkpoint(tmp_path / Fork(t0, CONTROL).folder, t1), twin)
            one, other = (checkpoint(tmp_path / Fork(t0, draw).folder, t1) for draw in (0, 1))
            assert not np.allclose(one["fc.weight"], twin["fc.weight"], rtol=0, atol=1e-6)
            assert not np.allclose(one["fc.weight"], other["fc.weight"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("crash", [2, 5, 12])
def test_with_new_noise_interrupted_and_gone_on_with_it_is_the_undisturbed_run(bases, tmp_path, monkeypatch, crash):
    base, options = bases["nesterov", torch.float32], {"size": 1e-3, "noise": "both"}
    train(base, tmp_path / "whole", "nesterov", torch.float32, **options)
    original = loop.batch

    def batch(content, settings, seed, t, new):
        if t == crash:
            raise Stop
        return original(content, settings, seed, t, new)

    with monkeypatch.context() as patch:
        patch.setattr(output, "SAVE_AFTER", 0.0)
        patch.setattr(loop, "PAUSE", 1)
        patch.setattr(loop, "batch", batch)
        with pytest.raises(Stop):
            train(base, tmp_path / "again", "nesterov", torch.float32, **options)
    train(base, tmp_path / "again", "nesterov", torch.float32, **options)
    assert files(tmp_path / "again") == files(tmp_path / "whole")


def test_the_gradient_s_direction_is_the_solo_run_s(bases, tmp_path):
    base, double = bases["adam", torch.float64], torch.float64
    block = Output(tmp_path / "block", {})
    experiment = Experiment(net(9, double, dropout=0.4), data(double), config("adam", double), SEED)
    perturbation = Perturbation("l2", 1e-3, "gradient")
    lockstep.run(
        experiment,
        checkpoint(base, 3),
        storage.read_table(base / "log.parquet")["loss"].to_numpy()[3:6],
        [Fork(3, 0)],
        {3: Stops((7,))},
        perturbation,
        block,
    )
    solo = Output(tmp_path / "solo", {}, distances.OF_PAIR)
    forks.train(experiment, Fork(3, 0), partial(checkpoint, base), Stops((7,)), perturbation, solo)
    ours, theirs = checkpoint(block.folder / Fork(3, 0).folder, 7), checkpoint(solo.folder, 7)
    for key in theirs:
        np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-12, atol=1e-12)
