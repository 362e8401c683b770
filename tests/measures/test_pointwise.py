"""Point-wise measures against closed forms, dense matrices and loops over samples."""

import copy
from math import isnan, log

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from twophase.measures import ntk, pointwise
from twophase.networks import models

SGD = {"optimizer": "sgd", "momentum": 0.9, "nesterov": False}


def images(count=12, channels=1, side=8, classes=3, seed=0):
    """Random images whose labels come sorted, as those of a folder of images do."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, channels, side, side, generator=generator, dtype=torch.float64)
    return inputs, torch.arange(count) * classes // count


def small_resnet(seed=0):
    """A network with batch norms whose scales, shifts and statistics are not what they start as."""
    torch.manual_seed(seed)
    model = models.build("resnet8", num_classes=3, in_channels=1, image_size=(8, 8), width=1).double()
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                tensor += 0.1 * torch.rand_like(tensor)
    return model.eval()


def flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


def dense_hessian(model, batches):
    """That of the mean over batches of their losses, row by row, in training mode."""
    model = copy.deepcopy(model).train()
    parameters = [*model.parameters()]
    loss = sum(cross_entropy(model(x), y) for x, y in batches) / len(batches)
    gradient = flat(torch.autograd.grad(loss, parameters, create_graph=True))
    rows = [flat(torch.autograd.grad(g, parameters, retain_graph=True)) for g in gradient]
    return torch.stack(rows).numpy()


class Quadratic(nn.Module):
    """Two logits whose difference is z, of the same weight vector for all inputs: the loss is log(1 + exp(-z))."""

    def __init__(self, matrix):
        super().__init__()
        self.matrix, self.w = torch.tensor(matrix), nn.Parameter(torch.zeros(len(matrix), dtype=torch.float64))

    def forward(self, x):
        z = -self.w @ self.matrix @ self.w  # at w = 0 the loss is log 2 - z / 2 to second order
        return torch.stack([z / 2, -z / 2]).expand(len(x), 2)


def test_sharpness_of_a_quadratic_is_its_largest_eigenvalue():
    """The loss log 2 + w.A w / 2 + O(w^4) has the Hessian A at 0: its eigenvalues are given, one of them below 0."""
    basis = np.linalg.qr(np.random.RandomState(1).standard_normal((40, 40)))[0]
    eigenvalues = np.array([5.0, *np.linspace(-8, 3, 39)])  # not the largest in size
    model = Quadratic(basis @ np.diag(eigenvalues) @ basis.T)
    inputs, labels = images(6)
    found = pointwise.sharpness(model, [(inputs, 0 * labels)])
    assert found.value == pytest.approx(5.0, rel=pointwise.TOLERANCE)
    assert found.residual < pointwise.TOLERANCE


def test_sharpness_of_logistic_regression_is_that_of_the_closed_form():
    """The Hessian of softmax regression is mean x x^T (x) (diag p - p p^T)."""
    inputs, labels = images(24, side=3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(9, 3, bias=False)).double()
    x, p = inputs.flatten(1).numpy(), model(inputs).softmax(1).detach().numpy()
    hessian = np.mean([np.kron(np.diag(q) - np.outer(q, q), np.outer(r, r)) for r, q in zip(x, p, strict=True)], axis=0)
    split = pointwise.batches(inputs, labels, 8)
    found = pointwise.sharpness(model, split)
    assert found.value == pytest.approx(np.linalg.eigvalsh(hessian)[-1], rel=pointwise.TOLERANCE)
    v = torch.randn(len(hessian), dtype=torch.float64)
    np.testing.assert_allclose(pointwise.hessian_product(model, split, v), hessian @ v.numpy(), atol=1e-14)


def test_two_classes_are_logistic_regression():
    """With logits w.x and 0 the Hessian is X^T diag(p (1 - p)) X / n."""
    inputs, labels = images(20, side=3, classes=2)

    class Binary(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(9, dtype=torch.float64))

        def forward(self, x):
            z = x.flatten(1) @ self.w
            return torch.stack([z, 0 * z], 1)

    model, x = Binary(), inputs.flatten(1).numpy()
    p = 1 / (1 + np.exp(-x @ model.w.detach().numpy()))
    hessian = x.T @ np.diag(p * (1 - p)) @ x / len(x)
    found = pointwise.sharpness(model, [(inputs, labels)])
    assert found.value == pytest.approx(np.linalg.eigvalsh(hessian)[-1], rel=pointwise.TOLERANCE)
    gradient = x.T @ (p - (labels == 0).numpy()) / len(x)
    quotient = gradient @ hessian @ gradient / (gradient @ gradient)
    assert pointwise.batch_sharpness(model, [(inputs, labels)]) == pytest.approx(quotient)


def test_products_with_the_hessian_of_a_resnet_are_those_with_the_dense_one():
    """Batch norms included, which have the statistics of each batch and keep those that they had."""
    model, (inputs, labels) = small_resnet(), images()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    split = pointwise.batches(inputs, labels, 6)
    hessian = dense_hessian(model, split)
    for seed in range(3):
        v = torch.randn(len(hessian), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        expected = hessian @ v.numpy()
        found = pointwise.hessian_product(model, split, v).numpy()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module.training for module in model.modules())


def test_sharpness_of_a_resnet_is_the_dense_hessian_s_and_its_residual_bounds_the_error():
    model, (inputs, labels) = small_resnet(), images()
    split = pointwise.batches(inputs, labels, 6)
    eigenvalues = np.linalg.eigvalsh(dense_hessian(model, split))
    found = pointwise.sharpness(model, split)
    assert found.value == pytest.approx(eigenvalues[-1], rel=pointwise.TOLERANCE)
    assert np.abs(eigenvalues - found.value).min() <= found.residual * found.value + 1e-12
    assert pointwise.sharpness(model, split) == found


def test_the_residual_is_that_of_the_vector(monkeypatch):
    """A vector between two eigenvectors, half a right angle from both, has a residual of half their distance."""
    model = Quadratic(np.diag([3.0, 1.0]))
    halfway = np.full((2, 1), 0.5**0.5)
    monkeypatch.setattr(pointwise, "eigsh", lambda *args, **options: (np.array([2.0]), halfway))
    inputs, labels = images(6)
    found = pointwise.sharpness(model, [(inputs, 0 * labels)])
    assert found == pytest.approx((2.0, 0.5))  # |H v - 2 v| = 1, and the value is 2


def test_a_sharpness_that_is_not_found_has_no_value(monkeypatch):
    monkeypatch.setattr(pointwise, "RESTARTS", 1)
    monkeypatch.setattr(pointwise, "TOLERANCE", 1e-15)
    matrix = np.diag(1 + 1e-6 * np.arange(60.0))  # so close that no few products tell them apart
    inputs, labels = images(6)
    assert all(map(isnan, pointwise.sharpness(Quadratic(matrix), [(inputs, 0 * labels)])))


def test_batch_sharpness_is_the_mean_of_each_batch_s_quotient():
    model, (inputs, labels) = small_resnet(), images()
    split = pointwise.batches(inputs, labels, 6)
    quotients = []
    for batch in split:
        trained = copy.deepcopy(model).train()
        loss = cross_entropy(trained(batch[0]), batch[1])
        g = flat(torch.autograd.grad(loss, [*trained.parameters()])).numpy()
        quotients.append(g @ dense_hessian(model, [batch]) @ g / (g @ g))
    assert len(split) == 2
    assert pointwise.batch_sharpness(model, split) == pytest.approx(np.mean(quotients))


@pytest.mark.parametrize(("count", "size", "expected"), [(12, 4, [4, 4, 4]), (13, 4, [4, 4, 4]), (3, 4, [3])])
def test_batches_are_equally_large_and_mix_the_classes(count, size, expected):
    inputs, labels = images(count)
    split = pointwise.batches(inputs, labels, size)
    assert [len(part[1]) for part in split] == expected
    rows = torch.cat([x for x, _ in split]).flatten(1)
    places = [int((inputs.flatten(1) == row).all(1).nonzero()) for row in rows]
    assert len(set(places)) == len(places)
    assert torch.equal(labels[places], torch.cat([y for _, y in split]))
    if count > size:
        assert all(len(y.unique()) > 1 for _, y in split)


@pytest.mark.parametrize("numbers", [1, 2**24])  # samples one by one, and all together
def test_moments_of_gradients_are_those_of_a_loop_over_samples(monkeypatch, numbers):
    monkeypatch.setattr(pointwise, "NUMBERS", numbers)
    model, (inputs, labels) = small_resnet(), images()
    rows = []
    for x, y in zip(inputs, labels, strict=True):
        loss = cross_entropy(model(x[None]), y[None])
        rows.append(flat(torch.autograd.grad(loss, [*model.parameters()])).numpy())
    moments = pointwise.gradient_moments(model, inputs, labels)
    assert moments.covariance == pytest.approx(np.trace(np.cov(np.array(rows).T)))
    assert moments.norm == pytest.approx(np.linalg.norm(np.mean(rows, axis=0)))


def test_all_measures_of_a_network_in_one_row():
    model, (inputs, labels) = small_resnet(), images()
    row = pointwise.of_network(model, inputs, labels, 6)
    assert row["sharpness"] == pytest.approx(pointwise.sharpness(model, pointwise.batches(inputs, labels, 6)).value)
    assert row["parameter_norm"] == pytest.approx(
        float(sum(p.detach().square().sum() for p in model.parameters())) ** 0.5
    )
    assert all(np.isfinite(value) for value in row.values())


@pytest.mark.parametrize(
    ("settings", "edge", "small"),
    [
        (SGD, 38.0, 2.0),  # 2 x 1.9 / .1 and 2 x .1 / .1
        (SGD | {"momentum": 0.0}, 20.0, 20.0),  # without momentum they are one, 2 / lr
        (SGD | {"nesterov": True}, np.nan, np.nan),
        (SGD | {"optimizer": "adam"}, np.nan, np.nan),
    ],
)
def test_edges_of_stability(settings, edge, small):
    found = pointwise.edges(0.1, settings)
    np.testing.assert_allclose([found["edge"], found["small_batch_edge"]], [edge, small])


def test_heavy_ball_is_stable_below_the_edge_and_not_beyond():
    """On h w^2 / 2, full batches: what `edge` says, by iterating."""
    for factor, stable in ((0.99, True), (1.01, False)):
        h, w, velocity = factor * pointwise.edges(0.1, SGD)["edge"], 1.0, 0.0
        for _ in range(3000):
            velocity = 0.9 * velocity + h * w
            w -= 0.1 * velocity
        assert (abs(w) < 1) == stable


LABELS = np.array([0, 0, 1, 1, 2, 2])


def test_a_kernel_of_the_labels_is_aligned_with_them_and_has_their_rank():
    target = (LABELS[:, None] == LABELS).astype(float)
    found = pointwise.of_kernel(7 * target, LABELS)
    assert found == pytest.approx({"scale": 42.0, "effective_rank": 3.0, "alignment": 1.0})


def test_rank_and_alignment_are_those_of_their_definitions():
    rows = np.random.RandomState(0).standard_normal((6, 9))
    kernel = rows @ rows.T
    found = pointwise.of_kernel(kernel, LABELS)
    shares = np.linalg.svd(rows, compute_uv=False) ** 2
    shares /= shares.sum()
    assert found["scale"] == pytest.approx((rows**2).sum())
    assert log(found["effective_rank"]) == pytest.approx(-sum(share * log(share) for share in shares))
    features, one_hot = rows - rows.mean(0), np.eye(3)[LABELS]
    one_hot = one_hot - one_hot.mean(0)
    numerator = np.linalg.norm(features.T @ one_hot) ** 2
    denominator = np.linalg.norm(features.T @ features) * np.linalg.norm(one_hot.T @ one_hot)
    assert found["alignment"] == pytest.approx(numerator / denominator)


@pytest.mark.parametrize(("kernel", "rank"), [(np.eye(6), 6.0), (np.ones((6, 6)), 1.0)])
def test_the_effective_rank_lies_between_one_and_n(kernel, rank):
    assert pointwise.of_kernel(kernel, LABELS)["effective_rank"] == pytest.approx(rank)


def test_a_kernel_of_all_logits_counts_as_the_sum_over_them():
    model, (inputs, labels) = small_resnet(), images(6)
    found = [
        pointwise.of_kernel(ntk.empirical_ntk(model, inputs, reduce).numpy(), labels.numpy())
        for reduce in ("trace", "full", "per_class")
    ]
    assert found[1] == pytest.approx(found[0])
    assert found[2] == pytest.approx(found[0])


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_kernel_that_is_lost_has_no_measures(value):
    assert all(map(isnan, pointwise.of_kernel(np.full((6, 6), value), LABELS).values()))
