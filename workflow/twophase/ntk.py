"""Empirical neural tangent kernel of a classifier, layer by layer.

    H = J J^T,   J = df/dtheta  [n c, P]          (Jacot et al., 2018)

The distance between two kernels is S_ij = 1 - <H_i, H_j> / (|H_i| |H_j|), see `metrics`. J as a whole is never built.
The weight W of a layer y_l = W x_l (l = 1..L the positions of a convolution, L = 1 for a plain linear layer) adds

    <J_a, J_b>  with  J_a = sum_l g_al x_al^T  [O, K]             (1) contract the layer's Jacobian
    = sum_{l,l'} (x_al . x_bl') (g_al . g_bl')                    (2) contract the Grams over positions

to the entry of inputs a and b, with x the layer's input (unfolded patches, K numbers) and g = df/dy (O numbers). Each
layer is contracted, in the way that takes fewer operations, when backward reaches it, so that gradients need not be
kept. Biases and the affine parameters of batch norms, which are few, are gathered as rows sum_l g and sum_l g xhat.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight
from torch.nn.modules.batchnorm import _BatchNorm

REDUCTIONS = ("trace", "sum_logits", "per_class", "full")
KINDS = (nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d)
# Numbers that a temporary may hold per input: a slice of a layer's Jacobian, what is kept of a layer between passes.
SLICE = 2**17
KEPT = 2**16


def empirical_ntk(model: nn.Module, inputs: Tensor, reduce: str = "trace", chunk: int = 64) -> Tensor:
    """Empirical NTK of `model` ([n, C, H, W] -> [n, c]) at its trainable parameters, in eval mode.

    Every pair of chunks of `chunk` inputs goes through the network together and gives one block of H. Memory follows
    `chunk` (see `cost`); as each chunk is differentiated n / chunk times, the largest chunk that fits is the fastest.
    Parameters of any other layer than plain convolutions, linear layers and batch norms, and those used more than once
    in a forward pass, are differentiated sample by sample, which is slower.

    Args:
        model: its flags and buffers are left as they were.
        inputs: [n, C, H, W].
        reduce: `trace`: sum_k J_k J_k^T, [n, n]; `sum_logits`: kernel of sum_k f_k, [n, n]; `per_class`: J_k J_k^T,
            [c, n, n]; `full`: [n c, n c], the class running faster.
        chunk: inputs per block of rows or columns.

    Returns:
        The kernel, exactly symmetric, in the parameters' dtype and on their device.

    Raises:
        ValueError: unknown `reduce`, `chunk` < 1, no input, no trainable parameter, a batch norm without running
            statistics (its samples are not independent), or an output that is not [n, c].
    """
    with _evaluating(model), torch.enable_grad():
        plan = _plan(model, inputs, reduce, chunk)
        n, k = len(inputs), len(plan.passes[0])
        kernel = plan.like.new_zeros(plan.slots, n, k, n, k)
        spans = [slice(i, min(i + chunk, n)) for i in range(0, n, chunk)]
        for i, a in enumerate(spans):
            for b in spans[i:]:
                pair = inputs[a] if b is a else torch.cat([inputs[a], inputs[b]])
                for slot, block in enumerate(_blocks(model, plan, pair, len(inputs[a]), len(inputs[b]))):
                    kernel[slot % plan.slots, a, :, b] += block.unflatten(0, (-1, k)).unflatten(2, (-1, k))
    kernel = kernel.view(plan.slots, n * k, n * k).triu_()
    kernel += kernel.triu(1).mT
    return kernel if reduce == "per_class" else kernel[0]


def cost(model: nn.Module, inputs: Tensor, reduce: str = "trace", chunk: int = 64) -> dict[str, int]:
    """Estimate of what `empirical_ntk` takes: `flops`, floating-point operations, and `peak_bytes` above the model.

    There are q passes of k logits at once: q, k = c, 1 (trace, per_class), 1, 1 (sum_logits) or 1, c (full). A pair of
    chunks of m and m' inputs, M = m + m' in all (M = m = m' for a chunk with itself), takes the operations

        M (1 + q k) sum 2 L O K                               forward once, backward once per logit
        q (2 k M L O K + 2 k^2 m m' O K)                      each layer contracted by (1)
        2 m m' L^2 K + q 2 k^2 m m' L^2 (O + 1)               each layer contracted by (2)
        q (3 k M r sum 2 L O K + 2 k^2 m m' P_r)              the P_r parameters done sample by sample, in r groups

    and the memory, in numbers, is the sum of

        M sum inputs                                          of all layers, held for backward and contraction
        M (k - 1) sum outputs + 4 M max outputs               of all layers, gradients
        M (K L + min(k O K, SLICE))                           unfolded input and Jacobian of the largest layer
        M K L <= KEPT M or m m' L^2 <= KEPT M                 each layer whose unfolded input or Gram is kept
        2 s (n k)^2                                           the kernel, s = c for per_class, else 1
    """
    with _evaluating(model), torch.enable_grad():
        plan = _plan(model, inputs, reduce, chunk)
    n, q, k = len(inputs), len(plan.passes), len(plan.passes[0])
    sizes = [min(chunk, n - i) for i in range(0, n, chunk)]
    groups = plan.dense_groups()
    weights = [layer for layer in plan.layers if layer.fan_in]
    flops = 0
    for i, a in enumerate(sizes):
        for j, b in enumerate(sizes[i:]):
            total = a + b if j else a
            flops += total * (plan.forward + q * k * (plan.backward + 3 * len(groups) * plan.forward))
            flops += q * 2 * k**2 * a * b * sum(p.numel() for p in plan.dense.values())
            flops += sum(min(_contraction_costs(layer, q, k, a, b, total)) for layer in weights)
    a, b, total = sizes[0], sizes[:2][-1], sum(sizes[:2])
    outputs = [layer.outputs * layer.positions for layer in plan.layers]
    numbers = total * (sum(layer.inputs for layer in plan.layers) + (k - 1) * sum(outputs) + 4 * max(outputs, default=0))
    widest = temporary = 0
    for layer in weights:
        unfolded = total * layer.fan_in * layer.groups * layer.positions
        if _prefers_positions(layer, q, k, a, b, total):
            numbers += a * b * layer.positions**2
        elif unfolded <= KEPT * total:
            numbers += unfolded
            unfolded = 0
        temporary = max(temporary, unfolded + total * min(k * layer.outputs * layer.fan_in, SLICE))
        widest = max(widest, layer.fan_in)
    numbers += temporary + 2 * plan.slots * (n * k) ** 2
    return {"flops": int(flops), "peak_bytes": int(numbers) * plan.like.element_size()}


@dataclass(frozen=True)
class _Layer:
    """A layer whose parameters `names` are contracted in closed form; sizes are those of one input."""

    module: nn.Module
    names: frozenset[str]  # of weight, bias
    inputs: int  # numbers in the layer's input
    grid: torch.Size  # positions of a convolution, height and width
    positions: int  # L
    outputs: int  # O
    fan_in: int  # K, within a group of channels; 0 where the weight is no matrix or not trained
    groups: int  # of channels
    chained: bool  # whether backward goes on to other parameters


@dataclass(frozen=True)
class _Plan:
    like: Tensor  # of the parameters' dtype and device
    passes: Sequence[Tensor]  # logit directions [k, c] of each pass
    slots: int  # kernels that the passes add to
    layers: list[_Layer]
    dense: dict[str, nn.Parameter]  # all other parameters that the logits depend on
    forward: int  # operations per input
    backward: int

    def dense_groups(self) -> list[dict[str, nn.Parameter]]:
        """Parameters to differentiate together: as many as make a slice."""
        groups, room = [], 0
        for name, p in self.dense.items():
            size = p.numel() * len(self.passes[0])
            if size > room:
                groups.append({})
                room = SLICE
            groups[-1][name] = p
            room -= size
        return groups


@dataclass(frozen=True)
class _Call:
    x: Tensor
    shape: torch.Size  # of the output
    chained: bool


@contextmanager
def _evaluating(model: nn.Module):
    flags = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, flag in flags.items():
            module.training = flag


@contextmanager
def _hooked(modules: Iterable[nn.Module], hook: Callable):
    handles = [module.register_forward_hook(hook, prepend=True) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _plan(model: nn.Module, inputs: Tensor, reduce: str, chunk: int) -> _Plan:
    if reduce not in REDUCTIONS:
        raise ValueError(f"reduce is {reduce!r}, expected one of {', '.join(REDUCTIONS)}")
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}, expected at least one input")
    if len(inputs) == 0:
        raise ValueError("inputs holds no sample")
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not trainable:
        raise ValueError("the model has no trainable parameter (requires_grad), so its tangent kernel is empty")
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm) and module.running_mean is None:
            raise ValueError(f"batch norm {name!r} has no running statistics: in eval mode too its samples are dependent")
    like = next(iter(trainable.values())).detach()

    modules = [module for module in model.modules() if type(module) in KINDS]
    alone = set(modules)
    for size in (2, 3):
        calls: dict[nn.Module, list[_Call]] = {module: [] for module in modules}

        def record(module, args, output, calls=calls):
            if args:
                calls[module].append(_Call(args[0].detach(), output.shape, args[0].requires_grad))

        with _hooked(modules, record):
            logits = model(inputs[:1].detach().to(like).expand(size, *inputs.shape[1:]))
        if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != size:
            shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(f"the model maps {size} inputs to {shape}, expected logits [{size}, c]")
        # Only a first axis that follows the number of inputs, in both trials, is that of the samples.
        alone &= {m for m in modules if len(calls[m]) == 1 and len(calls[m][0].x) == calls[m][0].shape[0] == size}

    uses = _uses(logits)
    forward = backward = 0
    layers, done = [], set()
    for module in modules:
        own = {name: p for name, p in module.named_parameters(recurse=False) if p.requires_grad and uses[p] == 1}
        for call in calls[module]:
            flops = 0 if isinstance(module, _BatchNorm) else 2 * call.shape[1:].numel() * module.weight[0].numel()
            forward, backward = forward + flops, backward + flops * call.chained
            if own and module in alone and _has_closed_form(module):
                layers.append(_layer(module, call, frozenset(own)))
                done |= set(own.values())
    dense = {name: p for name, p in trainable.items() if p not in done and uses[p]}

    c = logits.shape[1]
    eye = torch.eye(c, dtype=like.dtype, device=like.device)
    passes = {"sum_logits": (eye.sum(0, keepdim=True),), "full": (eye,)}.get(reduce, eye.split(1))
    return _Plan(like, passes, c if reduce == "per_class" else 1, layers, dense, forward, backward)


def _uses(logits: Tensor) -> Counter[Tensor]:
    """How often each parameter enters the graph of the logits."""
    uses, seen, stack = Counter(), set(), [logits.grad_fn]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        for following, _ in node.next_functions:
            if hasattr(following, "variable"):
                uses[following.variable] += 1
            stack.append(following)
    return uses


def _has_closed_form(module: nn.Module) -> bool:
    return not isinstance(module, nn.Conv2d) or (module.padding_mode == "zeros" and not isinstance(module.padding, str))


def _layer(module: nn.Module, call: _Call, names: frozenset[str]) -> _Layer:
    outputs = call.shape[-1 if isinstance(module, nn.Linear) else 1]
    matrix = "weight" in names and not isinstance(module, _BatchNorm)
    return _Layer(
        module=module,
        names=names,
        inputs=call.x[0].numel(),
        grid=call.shape[2:],
        positions=call.shape[1:].numel() // outputs,
        outputs=outputs,
        fan_in=module.weight[0].numel() if matrix else 0,
        groups=getattr(module, "groups", 1),
        chained=call.chained,
    )


def _blocks(model: nn.Module, plan: _Plan, x: Tensor, m: int, m_b: int) -> Iterator[Tensor]:
    """Of each pass, the kernel of the first m of the inputs x and the last m_b: [m k, m_b k]."""
    x = x.detach().to(plan.like)
    layers = {layer.module: layer for layer in plan.layers}
    contraction = _Contraction(plan, len(x), m, m_b)
    sources = list(plan.dense.values())  # backward to these passes by all layers

    def attach(module, args, output):
        layer, (x, *_) = layers[module], args
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            x, output = _normalized(module, x, output)
        x = x.detach()
        output.register_hook(lambda g: contraction.receive(layer, x, g))
        if not layer.chained:
            sources.append(get_gradient_edge(output))
        return output.clone()  # for in-place operations, which may follow

    with _hooked(layers, attach):
        logits = model(x)
    for directions in plan.passes:
        contraction.start()
        for direction in directions:
            torch.autograd.grad(logits, sources, direction.expand_as(logits), retain_graph=True)
            contraction.logit += 1
        for parameters in plan.dense_groups():
            contraction.add(_dense_jacobian(model, parameters, x, directions))
        yield contraction.finish()


def _normalized(norm: nn.Module, x: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
    """xhat, and the output as a function of x alone, which is cheaper to differentiate."""
    mean, deviation, weight, bias = (
        t.detach().view(-1, *[1] * (x.ndim - 2))
        for t in (norm.running_mean, (norm.running_var + norm.eps).sqrt(), norm.weight, norm.bias)
    )
    if x.requires_grad:
        output = x * (weight / deviation) + (bias - mean * weight / deviation)
    return (x.detach() - mean).div_(deviation), output


@dataclass
class _Contraction:
    """Adds up one block of the kernel as the gradients of a pass arrive, for M inputs: rows the first m, columns the last m_b."""

    plan: _Plan
    total: int  # M
    m: int
    m_b: int
    logit: int = 0
    block: Tensor | None = None
    vectors: list[Tensor] = field(default_factory=list)
    gradients: dict[nn.Module, Tensor] = field(default_factory=dict)
    kept: dict[nn.Module, Tensor] = field(default_factory=dict)  # of the layers' inputs, the same in all passes
    buffers: dict[str, Tensor] = field(default_factory=dict)

    @property
    def k(self) -> int:
        return len(self.plan.passes[0])

    def start(self):
        self.logit, self.vectors, self.gradients, self.done = 0, [], {}, 0
        self.block = self.plan.like.new_zeros(self.m * self.k, self.m_b * self.k)

    def finish(self) -> Tensor:
        if self.done != len(self.plan.layers):
            raise RuntimeError(f"backward reached {self.done} of {len(self.plan.layers)} layers")
        if self.vectors:
            self.add(torch.cat(self.vectors, -1).flatten(0, 1))
        return self.block

    def add(self, rows: Tensor):
        """Adds J J^T of some parameters, given J: [M k, p]."""
        self.block.addmm_(rows[: self.m * self.k], rows[-self.m_b * self.k :].T)

    def receive(self, layer: _Layer, x: Tensor, g: Tensor):
        """One logit's gradient by a layer's output; contracts them when all k are there."""
        g = g.unsqueeze(1)
        if self.k > 1:
            if self.logit == 0:
                self.gradients[layer.module] = g.new_empty(len(g), self.k, *g.shape[2:])
            self.gradients[layer.module][:, self.logit] = g.squeeze(1)
            if self.logit < self.k - 1:
                return
            g = self.gradients.pop(layer.module)
        self.done += 1
        g = _outputs(layer, g)
        if "bias" in layer.names:
            self.vectors.append(g.sum(-1))
        if isinstance(layer.module, _BatchNorm) and "weight" in layer.names:
            xhat = x.reshape(len(x), 1, layer.outputs, -1)
            self.vectors.append(torch.linalg.vecdot(g, xhat))
        if layer.fan_in and _prefers_positions(layer, len(self.plan.passes), self.k, self.m, self.m_b, self.total):
            self._contract_positions(layer, x, g)
        elif layer.fan_in and _prefers_convolution(layer, g):
            self._contract_by_convolution(layer, x, g)
        elif layer.fan_in:
            self._contract_jacobian(layer, x, g)

    def _contract_positions(self, layer: _Layer, x: Tensor, g: Tensor):
        """(2): sum_{l,l'} of the inputs' Gram [m L, m_b L] times that of the gradients [m k L, m_b k L]."""
        positions, k = layer.positions, self.k
        if layer.module not in self.kept:
            columns = self._columns(layer, x).mT.flatten(0, 1)
            self.kept[layer.module] = columns[: self.m * positions] @ columns[-self.m_b * positions :].T
        gram = self.kept[layer.module].view(self.m, 1, positions, self.m_b, 1, positions)
        rows = g.mT.flatten(0, 2)
        left, right = rows[: self.m * k * positions], rows[-self.m_b * k * positions :]
        step = max(1, SLICE // (k * positions) ** 2)
        for i in range(0, self.m, step):
            products = left[i * k * positions : (i + step) * k * positions] @ right.T
            products = products.view(-1, k, positions, self.m_b, k, positions).mul_(gram[i : i + step])
            self.block[i * k : (i + step) * k] += products.sum((2, 5)).view(-1, self.m_b * k)

    def _contract_jacobian(self, layer: _Layer, x: Tensor, g: Tensor):
        """(1), in slices of s output channels of each group: J [M k, groups s K]."""
        total, k, groups = self.total, self.k, layer.groups
        columns = self._columns(layer, x).reshape(total * groups, layer.fan_in, -1).mT
        g = g.reshape(total, k, groups, -1, layer.positions).transpose(1, 2)
        for part in g.split(max(1, SLICE // (k * groups * layer.fan_in)), dim=3):
            part = part.reshape(total * groups, -1, layer.positions)
            rows = torch.bmm(part, columns, out=self._buffer("rows", (*part.shape[:2], layer.fan_in)))
            self.add(rows.view(total, groups, k, -1).transpose(1, 2).reshape(total * k, -1))

    def _contract_by_convolution(self, layer: _Layer, x: Tensor, g: Tensor):
        """(1), where the weight gradient of each input is that of one group of a convolution."""
        module, groups = layer.module, layer.groups
        x = x.reshape(1, -1, *x.shape[2:])
        for part in g.view(self.total, groups, -1, layer.positions).split(max(1, SLICE // (groups * layer.fan_in)), dim=2):
            part = part.reshape(1, -1, *layer.grid)
            shape = (part.shape[1], *module.weight.shape[1:])
            weight = conv2d_weight(
                x, shape, part, module.stride, module.padding, module.dilation, self.total * groups
            )
            self.add(weight.view(self.total, -1))

    def _columns(self, layer: _Layer, x: Tensor) -> Tensor:
        """The input as one column per position: [M, groups K, L]."""
        module = layer.module
        if isinstance(module, nn.Linear):
            return x.reshape(len(x), -1, layer.fan_in).mT
        if module.kernel_size == module.stride == (1, 1) and module.padding == (0, 0):
            return x.flatten(2)
        if module in self.kept:
            return self.kept[module]
        height, width = module.padding
        x = F.pad(x, (width, width, height, height))
        n, channel, *steps = x.stride()
        dilated, strided = ([a * b for a, b in zip(factors, steps, strict=True)] for factors in (module.dilation, module.stride))
        windows = x.as_strided((*x.shape[:2], *module.kernel_size, *layer.grid), (n, channel, *dilated, *strided))
        if layer.groups * layer.fan_in * layer.positions <= KEPT and len(self.plan.passes) > 1:
            self.kept[module] = windows.reshape(len(x), -1, layer.positions)
            return self.kept[module]
        return self._buffer("columns", windows.shape).copy_(windows).view(len(x), -1, layer.positions)

    def _buffer(self, name: str, shape: Sequence[int]) -> Tensor:
        """Memory used over and over: fresh pages cost as much as the arithmetic that fills them."""
        if name not in self.buffers or self.buffers[name].numel() < prod(shape):
            self.buffers[name] = self.plan.like.new_empty(prod(shape))
        return self.buffers[name][: prod(shape)].view(shape)


def _outputs(layer: _Layer, g: Tensor) -> Tensor:
    """Gradients as [M, k, O, L]."""
    if isinstance(layer.module, nn.Linear):
        return g.reshape(*g.shape[:2], -1, layer.outputs).mT
    return g.reshape(*g.shape[:3], -1)


def _contraction_costs(layer: _Layer, q: int, k: int, m: int, m_b: int, total: int) -> tuple[float, float]:
    """Operations of q passes over a pair of chunks by (1) and by (2), the latter infinite where it takes much memory."""
    positions, parameters = layer.positions, layer.outputs * layer.fan_in
    jacobian = 2 * q * k * parameters * (total * positions + k * m * m_b)
    spatial = 2 * m * m_b * positions**2 * (layer.fan_in + q * k**2 * (layer.outputs + 1))
    return jacobian, spatial if layer.groups == 1 and positions**2 * max(m, m_b) <= KEPT else float("inf")


def _prefers_positions(layer: _Layer, q: int, k: int, m: int, m_b: int, total: int) -> bool:
    jacobian, spatial = _contraction_costs(layer, q, k, m, m_b, total)
    return spatial < jacobian


def _prefers_convolution(layer: _Layer, g: Tensor) -> bool:
    """Whether the CPU's convolution kernels give per-sample weight gradients faster than unfolding (measured)."""
    if not isinstance(layer.module, nn.Conv2d) or g.shape[1] > 1 or g.device.type != "cpu" or g.dtype != torch.float32:
        return False
    return 4 * layer.positions >= layer.fan_in and layer.module.weight.shape[1] >= 8


def _dense_jacobian(model: nn.Module, parameters: dict[str, nn.Parameter], x: Tensor, directions: Tensor) -> Tensor:
    """Jacobian of any parameters, sample by sample: [M k, p]."""

    def logit(parameters, one, direction):
        return functional_call(model, parameters, (one[None],))[0] @ direction

    with torch.no_grad():  # of the outer graph only: `grad` differentiates inside
        parameters = {name: p.detach() for name, p in parameters.items()}
        rows = [vmap(grad(logit), (None, 0, None))(parameters, x, direction).values() for direction in directions]
        return torch.stack([torch.cat([g.flatten(1) for g in gs], 1) for gs in rows], 1).flatten(0, 1)
