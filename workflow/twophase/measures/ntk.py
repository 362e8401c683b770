"""Empirical neural tangent kernel of a classifier, layer by layer.

    H = J J^T,   J = df/dtheta  [n c, P]          (Jacot et al., 2018)

The distance between two kernels is S_ij = 1 - <H_i, H_j> / (|H_i| |H_j|), see `metrics`. J as a whole is never built.
The weight W of a layer y_l = W x_l (l = 1..L the positions of a convolution, L = 1 for a plain linear layer) adds

    <J_a, J_b>  with  J_a = sum_l g_al x_al^T  [O, K]             (1) contract the layer's Jacobian
    = sum_{l,l'} (x_al . x_bl') (g_al . g_bl')                    (2) contract the Grams over positions

to the entry of inputs a and b, with x the layer's input (unfolded patches, K numbers) and g = df/dy (O numbers). Each
layer is contracted, in the way that takes fewer operations, when backward reaches it, so that gradients need not be
kept. Biases and the affine parameters of batch, layer and group norms, which are few, are gathered as rows sum_l g and
sum_l g xhat.

H is the sum of what each layer adds to it; `by_layer` keeps these apart.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf, prod

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.grad import conv2d_weight
from torch.nn.modules.batchnorm import _BatchNorm

REDUCTIONS = ("trace", "sum_logits", "per_class", "full")
NORMS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm)
KINDS = (nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
# Numbers per input that a slice of a layer's Jacobian may hold, and the Gram of a layer's inputs.
SLICE = 2**16
# The same for parameters done sample by sample, where every slice costs a forward and a backward pass.
DENSE_SLICE = 2**20


def empirical_ntk(model: nn.Module, inputs: Tensor, reduce: str = "trace", chunk: int = 64) -> Tensor:
    """Empirical NTK of `model` ([n, C, H, W] -> [n, c]) at its trainable parameters, in eval mode.

    Every pair of chunks of `chunk` inputs goes through the network together and gives one block of H. Memory follows
    `chunk` (see `cost`); as each chunk is differentiated n / chunk times, the largest chunk that fits is the fastest.
    Parameters of any other layer than plain convolutions, linear layers, batch and group norms and layer norms over the
    last axis, and those used more than once in a forward pass, are differentiated sample by sample, which is slower.

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
    return _kernels(model, inputs, reduce, chunk)[0]


def by_layer(
    model: nn.Module, inputs: Tensor, names: Mapping[str, Sequence[str]], reduce: str = "trace", chunk: int = 64
) -> dict[str, Tensor]:
    """The parts H_l = J_l J_l^T of `empirical_ntk`, with J_l the Jacobian by the parameters of layer l alone.

    Those of all layers sum to the kernel, and take as many operations together, but L times its memory.

    Args:
        names: of the trainable parameters of each layer, as of `layers.of`.
        model, inputs, reduce, chunk: as of `empirical_ntk`, as are the errors raised.

    Returns:
        a kernel, as of `empirical_ntk`, for each layer; 0 where the logits don't depend on it.
    """
    return dict(zip(names, _kernels(model, inputs, reduce, chunk, names.values()), strict=True))


def _kernels(
    model: nn.Module, inputs: Tensor, reduce: str, chunk: int, parts: Iterable[Sequence[str]] | None = None
) -> Tensor:
    """The kernel of each of the `parts`, names of parameters, along the first axis; of all in one where None."""
    with _evaluating(model), torch.enable_grad():
        plan = _plan(model, inputs, reduce, chunk, parts)
        n, k = len(inputs), plan.k
        kernels = plan.like.new_zeros(plan.parts, plan.slots, n, k, n, k)
        spans = [slice(i, min(i + chunk, n)) for i in range(0, n, chunk)]
        for i, a in enumerate(spans):
            for b in spans[i:]:
                pair = inputs[a] if b is a else torch.cat([inputs[a], inputs[b]])
                for slot, blocks in enumerate(_blocks(model, plan, pair, len(inputs[a]), len(inputs[b]))):
                    kernels[:, slot % plan.slots, a, :, b] += blocks.unflatten(1, (-1, k)).unflatten(3, (-1, k))
    kernels = kernels.view(plan.parts, plan.slots, n * k, n * k).triu_()
    kernels += kernels.triu(1).mT
    return kernels if reduce == "per_class" else kernels[:, 0]


def cost(model: nn.Module, inputs: Tensor, reduce: str = "trace", chunk: int = 64) -> dict[str, int]:
    """Estimate of what `empirical_ntk` takes: `flops`, floating-point operations, and `peak_bytes` above the model.

    There are q passes of k logits at once: q, k = c, 1 (trace, per_class), 1, 1 (sum_logits) or 1, c (full). A pair of
    chunks of m and m' inputs, M = m + m' in all (M = m = m' for a chunk with itself), takes the operations

        M (1 + q k) sum 2 L O K                               forward once, backward once per logit
        q (2 k M L O K + 2 k^2 m m' O K)                      each layer contracted by (1)
        2 m m' L^2 K + q 2 k^2 m m' L^2 (O + 1)               each layer contracted by (2)
        q (3 k M r sum 2 L O K + 2 k^2 m m' P_r)              the P_r parameters done sample by sample, in r groups

    and the memory, in numbers, is the sum of

        M (sum inputs + (k - 1) sum outputs)                  of all layers, held for backward and contraction
        M (5 max outputs + min(k O K, SLICE))                 gradients and contraction of one layer
        2 M k max P_r                                         per-sample gradients of the largest group
        M K L                                                 the largest unfolded input of a layer contracted by (1)
        m m' L^2                                              Grams of the inputs of layers contracted by (2)
        2 s (n k)^2                                           the kernel, s = c for per_class, else 1
    """
    with _evaluating(model), torch.enable_grad():
        plan = _plan(model, inputs, reduce, chunk)
    n, q, k = len(inputs), len(plan.passes), plan.k
    groups = [sum(p.numel() for p in group.values()) for _, group in plan.dense_groups()]
    sizes = [min(chunk, n - i) for i in range(0, n, chunk)]
    matrices = [layer for layer in plan.layers if layer.matrix]
    flops = 0
    for i, m in enumerate(sizes):
        for j, m_b in enumerate(sizes[i:]):
            total = m + m_b if j else m
            flops += total * (plan.forward + q * k * (plan.backward + 3 * len(groups) * plan.forward))
            flops += q * 2 * k**2 * m * m_b * sum(groups)
            flops += sum(min(_contraction_costs(layer, plan, total, m, m_b)) for layer in matrices)

    m, m_b, total = sizes[0], sizes[:2][-1], sum(sizes[:2])
    outputs = [layer.outputs * layer.positions for layer in plan.layers]
    held = sum(layer.inputs for layer in plan.layers) + (k - 1) * sum(outputs) + 5 * max(outputs, default=0)
    held += min(SLICE, max((k * layer.outputs * layer.fan_in for layer in matrices), default=0))
    held += 2 * k * max(groups, default=0)
    by_positions = [layer for layer in matrices if _prefers_positions(layer, plan, total, m, m_b)]
    unfolded = [
        layer.groups * layer.fan_in * layer.positions
        for layer in matrices
        if layer not in by_positions and not _prefers_convolution(layer, plan)
    ]
    numbers = total * (held + max(unfolded, default=0)) + 2 * plan.slots * (n * k) ** 2
    numbers += m * m_b * sum(layer.positions**2 for layer in by_positions)
    return {"flops": int(flops), "peak_bytes": int(numbers) * plan.like.element_size()}


@dataclass(frozen=True)
class _Layer:
    """A layer whose parameters `names` are contracted in closed form; sizes are those of one input."""

    module: nn.Module
    inputs: int  # numbers in the layer's input
    grid: torch.Size  # positions of a convolution, height and width
    positions: int  # L
    outputs: int  # O
    fan_in: int  # K, within a group of channels; 0 for a norm
    groups: int  # of channels
    chained: bool  # whether backward goes on to other parameters
    part: int = 0  # of the kernel, that it adds to
    names: frozenset[str] = frozenset()  # of weight, bias

    @property
    def matrix(self) -> bool:
        return "weight" in self.names and self.fan_in > 0


@dataclass(frozen=True)
class _Plan:
    like: Tensor  # of the parameters' dtype and device
    passes: Sequence[Tensor]  # logit directions [k, c] of each pass
    slots: int  # kernels that the passes add to
    parts: int  # of the parameters, each with kernels of its own
    layers: list[_Layer]
    dense: list[dict[str, nn.Parameter]]  # all other parameters that the logits depend on, by part
    forward: int  # operations per input
    backward: int

    @property
    def k(self) -> int:
        return len(self.passes[0])

    def dense_groups(self) -> list[tuple[int, dict[str, nn.Parameter]]]:
        """Parameters of a part to differentiate together: as many as make a slice, or a single larger one."""
        groups = []
        for part, parameters in enumerate(self.dense):
            room = 0
            for name, p in parameters.items():
                if p.numel() * self.k > room:
                    groups.append((part, {}))
                    room = DENSE_SLICE
                groups[-1][1][name] = p
                room -= p.numel() * self.k
        return groups


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


def _trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def _plan(
    model: nn.Module, inputs: Tensor, reduce: str, chunk: int, parts: Iterable[Sequence[str]] | None = None
) -> _Plan:
    if reduce not in REDUCTIONS:
        raise ValueError(f"reduce is {reduce!r}, expected one of {', '.join(REDUCTIONS)}")
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}, expected at least one input")
    if len(inputs) == 0:
        raise ValueError("inputs holds no sample")
    trainable = _trainable(model)
    if not trainable:
        raise ValueError("the model has no trainable parameter (requires_grad), so its tangent kernel is empty")
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm) and module.running_mean is None:
            raise ValueError(
                f"batch norm {name!r} has no running statistics: in eval mode too its samples are dependent"
            )
    like = next(iter(trainable.values())).detach()

    # Only a first axis that follows the number of inputs, in both trials, is that of the samples.
    modules = [module for module in model.modules() if type(module) in KINDS]
    closed = {module for module in modules if _has_closed_form(module)}
    for size in (2, 3):
        calls: dict[nn.Module, list[_Layer | None]] = {module: [] for module in modules}
        flops = Counter()

        def record(module, args, output, size=size, calls=calls, flops=flops):
            aligned = len(args) == 1 and len(args[0]) == len(output) == size
            calls[module].append(_layer(module, args[0], output) if aligned and output.requires_grad else None)
            if not isinstance(module, NORMS):
                operations = 2 * output.numel() // size * module.weight[0].numel()
                flops["forward"] += operations
                flops["backward"] += operations * any(x.requires_grad for x in args)

        with _hooked(modules, record):
            logits = model(inputs[:1].detach().to(like).expand(size, *inputs.shape[1:]))
        if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != size:
            shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(f"the model maps {size} inputs to {shape}, expected logits [{size}, c]")
        closed &= {module for module in modules if len(calls[module]) == 1 and calls[module][0]}

    uses = _uses(logits)
    if not any(uses[p] for p in trainable.values()):
        raise ValueError("the logits depend on none of the model's trainable parameters")
    parts = [trainable] if parts is None else [{name: trainable[name] for name in names} for names in parts]
    part_of = {p: k for k, part in enumerate(parts) for p in part.values()}
    closed_form, done = [], set()
    for module in modules:
        own = {name: p for name, p in module.named_parameters(recurse=False) if p in part_of and uses[p] == 1}
        its_parts = {part_of[p] for p in own.values()}  # several where another module's parameter is used here alone
        if len(its_parts) == 1 and module in closed:
            closed_form.append(replace(calls[module][0], names=frozenset(own), part=its_parts.pop()))
            done |= set(own.values())
    dense = [{name: p for name, p in part.items() if p not in done and uses[p]} for part in parts]

    c = logits.shape[1]
    eye = torch.eye(c, dtype=like.dtype, device=like.device)
    passes = {"sum_logits": (eye.sum(0, keepdim=True),), "full": (eye,)}.get(reduce, eye.split(1))
    slots = c if reduce == "per_class" else 1
    return _Plan(like, passes, slots, len(parts), closed_form, dense, flops["forward"], flops["backward"])


def _has_closed_form(module: nn.Module) -> bool:
    if isinstance(module, nn.LayerNorm):
        return len(module.normalized_shape) == 1
    return not isinstance(module, nn.Conv2d) or (module.padding_mode == "zeros" and not isinstance(module.padding, str))


def _layer(module: nn.Module, x: Tensor, output: Tensor) -> _Layer:
    outputs = output.shape[-1 if isinstance(module, nn.Linear | nn.LayerNorm) else 1]
    return _Layer(
        module=module,
        inputs=x[0].numel(),
        grid=output.shape[2:],
        positions=output[0].numel() // outputs,
        outputs=outputs,
        fan_in=0 if isinstance(module, NORMS) else module.weight[0].numel(),
        groups=getattr(module, "groups", 1),
        chained=x.requires_grad,
    )


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


def _blocks(model: nn.Module, plan: _Plan, x: Tensor, m: int, m_b: int) -> Iterator[Tensor]:
    """Of each pass, the kernels of the first m of the inputs x and the last m_b: [parts, m k, m_b k]."""
    x = x.detach().to(plan.like)
    known = {layer.module: layer for layer in plan.layers}
    contraction = _Contraction(plan, len(x), m, m_b)
    sources = [p for part in plan.dense for p in part.values()]  # backward to these passes by every layer

    def attach(module, args, output):
        layer, x = known[module], args[0]
        if isinstance(module, _BatchNorm):
            x, output = _normalized(module, x, output)
        x = x.detach()
        if isinstance(module, nn.LayerNorm):
            x = F.layer_norm(x, module.normalized_shape, eps=module.eps).reshape(len(x), -1, layer.outputs).mT
        if isinstance(module, nn.GroupNorm):
            x = F.group_norm(x, module.num_groups, eps=module.eps)
        output.register_hook(lambda g: contraction.receive(layer, x, g))
        if not layer.chained:
            sources.append(get_gradient_edge(output))
        # Hook and edge stay those of the layer's own output when what follows works in place, unless it is a view.
        return output.clone() if output._is_view() else output

    with _hooked(known, attach):
        logits = model(x)
    for directions in plan.passes:
        contraction.start()
        for contraction.logit, direction in enumerate(directions):
            torch.autograd.grad(logits, sources, direction.expand_as(logits), retain_graph=True, allow_unused=True)
        for part, parameters in plan.dense_groups():
            contraction.add(part, _dense_jacobian(model, parameters, x, directions))
        yield contraction.finish()


def _normalized(norm: _BatchNorm, x: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
    """xhat, and the output as a function of x alone, which is cheaper to differentiate."""
    mean, deviation, weight, bias = (
        t.detach().view(-1, *[1] * (x.ndim - 2))
        for t in (norm.running_mean, (norm.running_var + norm.eps).sqrt(), norm.weight, norm.bias)
    )
    if x.requires_grad:
        output = x * (weight / deviation) + (bias - mean * weight / deviation)
    return (x.detach() - mean).div_(deviation), output


class _Contraction:
    """Adds up blocks of kernels as gradients arrive, between the first m and the last m_b of M = `total` inputs."""

    def __init__(self, plan: _Plan, total: int, m: int, m_b: int):
        self.plan, self.k, self.total, self.m, self.m_b = plan, plan.k, total, m, m_b
        self.grams: dict[nn.Module, Tensor] = {}  # of the layers' inputs, the same in all passes
        self.buffers: dict[str, Tensor] = {}

    def start(self):
        self.blocks = self.plan.like.new_zeros(self.plan.parts, self.m * self.k, self.m_b * self.k)
        self.vectors: list[list[Tensor]] = [[] for _ in self.blocks]
        self.gradients, self.logit, self.done = {}, 0, 0

    def finish(self) -> Tensor:
        if self.done != len(self.plan.layers):
            raise RuntimeError(f"backward reached {self.done} of {len(self.plan.layers)} layers")
        for part, vectors in enumerate(self.vectors):
            if vectors:
                self.add(part, torch.cat(vectors, -1).flatten(0, 1))
        return self.blocks

    def add(self, part: int, rows: Tensor):
        """Adds J J^T of some parameters of a part, given J: [M k, p]."""
        self.blocks[part].addmm_(rows[: self.m * self.k], rows[-self.m_b * self.k :].T)

    def receive(self, layer: _Layer, x: Tensor, g: Tensor):
        """Takes one logit's gradient by a layer's output, and contracts those of all k when they are there."""
        if self.k > 1:
            if self.logit == 0:
                self.gradients[layer.module] = g.new_empty(self.total, self.k, *g.shape[1:])
            self.gradients[layer.module][:, self.logit] = g
            if self.logit < self.k - 1:
                return
            g = self.gradients.pop(layer.module)
        self.done += 1
        if isinstance(layer.module, nn.Linear | nn.LayerNorm):
            g = g.reshape(self.total, self.k, layer.positions, layer.outputs).mT
        else:
            g = g.reshape(self.total, self.k, layer.outputs, layer.positions)
        if "bias" in layer.names:
            self.vectors[layer.part].append(g.sum(-1))
        if "weight" in layer.names and not layer.matrix:
            self.vectors[layer.part].append(torch.linalg.vecdot(g, x.reshape(self.total, 1, layer.outputs, -1)))
        if layer.matrix:
            if _prefers_positions(layer, self.plan, self.total, self.m, self.m_b):
                self._contract_positions(layer, x, g)
            elif _prefers_convolution(layer, self.plan):
                self._contract_by_convolution(layer, x, g)
            else:
                self._contract_jacobian(layer, x, g)

    def _contract_positions(self, layer: _Layer, x: Tensor, g: Tensor):
        """(2): sum_{l,l'} of the inputs' Gram [m L, m_b L] times that of the gradients [m k L, m_b k L]."""
        k, positions = self.k, layer.positions
        if layer.module not in self.grams:
            rows = self._columns(layer, x).mT.flatten(0, 1)
            self.grams[layer.module] = rows[: self.m * positions] @ rows[-self.m_b * positions :].T
        gram = self.grams[layer.module].view(self.m, 1, positions, self.m_b, 1, positions)
        g = g.mT.reshape(self.total, k * positions, layer.outputs)
        left, right = g[: self.m], g[-self.m_b :].flatten(0, 1)
        step = max(1, SLICE // (k * positions) ** 2)
        parts = zip(
            self.blocks[layer.part].view(self.m, k, -1).split(step), left.split(step), gram.split(step), strict=True
        )
        for block, rows, weights in parts:
            products = (rows.flatten(0, 1) @ right.T).view(-1, k, positions, self.m_b, k, positions).mul_(weights)
            block += products.sum((2, 5)).flatten(2)

    def _contract_jacobian(self, layer: _Layer, x: Tensor, g: Tensor):
        """(1), in slices of s output channels of each group: J [M k, groups s K]."""
        k, groups = self.k, layer.groups
        columns = self._columns(layer, x).reshape(self.total * groups, layer.fan_in, -1).mT
        g = g.reshape(self.total, k, groups, -1, layer.positions).transpose(1, 2)
        for part in g.split(max(1, SLICE // (k * groups * layer.fan_in)), dim=3):
            part = part.reshape(self.total * groups, -1, layer.positions)
            rows = torch.bmm(part, columns, out=self._buffer("rows", (*part.shape[:2], layer.fan_in)))
            self.add(layer.part, rows.view(self.total, groups, k, -1).transpose(1, 2).reshape(self.total * k, -1))

    def _contract_by_convolution(self, layer: _Layer, x: Tensor, g: Tensor):
        """(1) for k = 1: the weight gradients of all inputs are that of one convolution with M times the groups."""
        module, groups = layer.module, self.total * layer.groups
        x = x.reshape(1, -1, *x.shape[2:])
        g = g.reshape(groups, -1, *layer.grid)
        for part in g.split(max(1, SLICE // (layer.groups * layer.fan_in)), dim=1):
            shape = (part.shape[0] * part.shape[1], *module.weight.shape[1:])
            part = part.reshape(1, -1, *layer.grid)
            rows = conv2d_weight(x, shape, part, module.stride, module.padding, module.dilation, groups)
            self.add(layer.part, rows.view(self.total, -1))

    def _columns(self, layer: _Layer, x: Tensor) -> Tensor:
        """The input as one column per position: [M, groups K, L]."""
        module = layer.module
        if isinstance(module, nn.Linear):
            return x.reshape(self.total, -1, layer.fan_in).mT
        if module.kernel_size == module.stride == (1, 1) and module.padding == (0, 0):
            return x.flatten(2)
        height, width = module.padding
        x = F.pad(x, (width, width, height, height))
        *outer, down, right = x.stride()
        (dilation_h, dilation_w), (stride_h, stride_w) = module.dilation, module.stride
        steps = (*outer, dilation_h * down, dilation_w * right, stride_h * down, stride_w * right)
        windows = x.as_strided((*x.shape[:2], *module.kernel_size, *layer.grid), steps)
        return self._buffer("columns", windows.shape).copy_(windows).view(self.total, -1, layer.positions)

    def _buffer(self, name: str, shape: Sequence[int]) -> Tensor:
        """Memory used over and over: fresh pages cost as much as the arithmetic that fills them."""
        if name not in self.buffers or self.buffers[name].numel() < prod(shape):
            self.buffers[name] = self.plan.like.new_empty(prod(shape))
        return self.buffers[name][: prod(shape)].view(shape)


def _contraction_costs(layer: _Layer, plan: _Plan, total: int, m: int, m_b: int) -> tuple[float, float]:
    """Operations of all passes over a pair of chunks by (1) and by (2); infinite for (2) where it takes much memory."""
    q, k, positions, parameters = len(plan.passes), plan.k, layer.positions, layer.outputs * layer.fan_in
    jacobian = 2 * q * k * parameters * (total * positions + k * m * m_b)
    spatial = 2 * m * m_b * positions**2 * (layer.fan_in + q * k**2 * (layer.outputs + 1))
    return jacobian, spatial if layer.groups == 1 and positions**2 * max(m, m_b) <= SLICE else inf


def _prefers_positions(layer: _Layer, plan: _Plan, total: int, m: int, m_b: int) -> bool:
    jacobian, spatial = _contraction_costs(layer, plan, total, m, m_b)
    return spatial < jacobian


def _prefers_convolution(layer: _Layer, plan: _Plan) -> bool:
    """Whether the CPU's convolution kernels give per-sample weight gradients faster than unfolding (measured)."""
    if plan.k > 1 or plan.like.device.type != "cpu" or plan.like.dtype != torch.float32:
        return False
    wide = isinstance(layer.module, nn.Conv2d) and layer.module.weight.shape[1] >= 8
    return wide and 4 * layer.positions >= layer.fan_in


def _dense_jacobian(model: nn.Module, parameters: dict[str, nn.Parameter], x: Tensor, directions: Tensor) -> Tensor:
    """Jacobian of any parameters, sample by sample: [M k, p]."""

    def logit(parameters, one, direction):
        return functional_call(model, parameters, (one[None],))[0] @ direction

    # No gradient of the outer graph only: `grad` differentiates inside. Fused attention does not batch over samples.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        parameters = {name: p.detach() for name, p in parameters.items()}
        rows = [vmap(grad(logit), (None, 0, None))(parameters, x, direction).values() for direction in directions]
        return torch.stack([torch.cat([g.flatten(1) for g in gs], 1) for gs in rows], 1).flatten(0, 1)
