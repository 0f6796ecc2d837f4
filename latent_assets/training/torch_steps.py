"""Training steps on Keras's torch backend: one process, and on a GPU a CUDA graph.

Keras's layers launch many small kernels, each behind a good deal of Python. So a step (loss,
gradient, optimizer, moving average) is traced once into a graph of tensor operations, and on a
GPU that graph is recorded and replayed. The function that is traced is the one that would run.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from latent_assets.training.flat import flattened, loss_of_flat, part_way
from latent_assets.training.parallel import Team

logger = logging.getLogger(__name__)

COMPILING_SECONDS = {"cuda": 100, "cpu": 600}
"""How long the fusing of the kernels may take: a GPU's minutes are lent, a processor's are not."""
EAGER_STEPS = 3
"""Steps before the recording: libraries choose their algorithms and take their memory."""


@lru_cache(maxsize=1)
def place() -> Any:
    """The device that Keras computes on."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Recorded:
    """A function of tensors of fixed shapes, traced once; on a GPU replayed from a CUDA graph.

    It may change its arguments named in `kept` in place; they must be the same tensors each call.
    """

    def __init__(
        self, function: Callable[..., Any], kept: Sequence[Any] = (), compiled: bool = False
    ) -> None:
        self._function = function
        self._kept = tuple(kept)
        self._compiled = compiled
        self._traced: Callable[..., Any] | None = None
        self._graph: Any = None
        self._inputs: list[Any] = []
        self._output: Any = None
        self._calls = 0

    def __call__(self, *arguments: Any) -> Any:
        """Arguments: tensors on the device, of the same shapes and dtypes at each call."""
        import torch

        if self._traced is None:
            self._inputs = [argument.clone() for argument in arguments]
            self._traced = self._trace()
        for held, argument in zip(self._inputs, arguments, strict=True):
            held.copy_(argument)
        if self._graph is not None:
            self._graph.replay()
            return _copied(self._output)
        self._calls += 1
        if place().type == "cuda" and self._calls > EAGER_STEPS:
            return self._record()
        with torch.no_grad():
            return self._traced([*self._kept, *self._inputs])

    def _trace(self) -> Callable[..., Any]:
        from torch.fx.experimental.proxy_tensor import make_fx

        # Tracing runs the function, so it gets copies of what it changes.
        copies = [tensor.clone() for tensor in self._kept]
        traced = make_fx(lambda arguments: self._function(*arguments))([*copies, *self._inputs])
        fold_constants(traced)
        return self._fused(traced, [*copies, *self._inputs]) if self._compiled else traced

    def _fused(self, traced: Any, arguments: list[Any]) -> Callable[..., Any]:
        """The graph with its kernels fused, or as it is if that fails or takes too long."""
        import torch

        def stop(*_unused: Any) -> None:
            raise TimeoutError

        before = signal.signal(signal.SIGALRM, stop)
        signal.alarm(COMPILING_SECONDS[place().type])
        try:
            with torch.no_grad():
                fused = torch.compile(traced, fullgraph=True)
                fused(arguments)
        except Exception:  # whatever the compiler stumbled over, the graph itself is sound
            logger.warning("the step is not fused", exc_info=True)
            return traced
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        return fused

    def _record(self) -> Any:
        import torch

        assert self._traced is not None
        torch.cuda.synchronize()
        torch.cuda.empty_cache()  # a recording has memory of its own
        self._graph = torch.cuda.CUDAGraph()
        with torch.no_grad(), torch.cuda.graph(self._graph):
            self._output = self._traced([*self._kept, *self._inputs])
        self._graph.replay()
        return _copied(self._output)


def _copied(output: Any) -> Any:
    if isinstance(output, tuple):
        return tuple(part.clone() for part in output)
    return output.clone()


def fold_constants(traced: Any) -> None:
    """Compute once what depends on constants alone: scalars and tables, brought to the device.

    While a CUDA graph is recorded nothing can be copied from the host's pageable memory. Keras's
    variables are parameters of torch, and no constants: they may change between calls.
    """
    import torch

    constants: dict[Any, Any] = {}
    for node in list(traced.graph.nodes):
        if node.op == "get_attr":
            value = getattr(traced, node.target)
            if isinstance(value, torch.Tensor) and not isinstance(value, torch.nn.Parameter):
                constants[node] = value
        elif _depends_on(node, constants):
            value = _evaluated(node, constants)
            if isinstance(value, torch.Tensor):
                constants[_replaced(traced, node, value)] = value
    traced.recompile()


def _depends_on(node: Any, constants: dict[Any, Any]) -> bool:
    sources = node.all_input_nodes
    if node.op != "call_function" or not sources:
        return False
    schema = getattr(node.target, "_schema", None)
    changes = schema is None or schema.is_mutable
    return not changes and all(source in constants for source in sources)


def _evaluated(node: Any, constants: dict[Any, Any]) -> Any:
    from torch.fx.node import map_arg

    arguments = map_arg(node.args, lambda source: constants[source])
    named = map_arg(node.kwargs, lambda source: constants[source])
    return node.target(*arguments, **named)


def _replaced(traced: Any, node: Any, value: Any) -> Any:
    name = f"folded_{node.name}"
    traced.register_buffer(name, value)
    with traced.graph.inserting_before(node):
        held = traced.graph.get_attr(name)
    node.replace_all_uses_with(held)
    traced.graph.erase_node(node)
    return held


class TorchFunction:
    """A function of arrays or tensors, recorded once for each set of shapes; no gradients."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._recorded: dict[tuple[Any, ...], Recorded] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Returns a tensor on the device."""
        import torch

        with torch.no_grad():
            tensors = [torch.as_tensor(argument, device=place()) for argument in arguments]
            key = tuple((tensor.shape, tensor.dtype) for tensor in tensors)
            if key not in self._recorded:
                self._recorded[key] = Recorded(self._function)
            return self._recorded[key](*tensors)


class TorchSteps:
    """The weights as a vector, their moving average, and the optimizer's state."""

    def __init__(
        self,
        loss: Callable[..., Any],
        variables: Sequence[Any],
        optimizer: Any,
        compiled: bool,
        shares: np.ndarray | None = None,
    ) -> None:
        import keras
        import torch

        self._loss, self._variables, self._optimizer = loss, variables, optimizer
        self._shares = None if shares is None else torch.as_tensor(shares, device=place())
        start = flattened(variables)
        optimizer.build([keras.Variable(start, name="flat")])
        self._kept = [torch.tensor(start, device=place()) for _ in range(2)]
        self._kept += [v.value.detach().clone() for v in optimizer.variables]
        self._rate_at = 2 + _index(optimizer.variables, optimizer.learning_rate)
        self._step = Recorded(self._update, self._kept, compiled)

    def _update(self, flat: Any, average: Any, *rest: Any) -> Any:
        """One step: changes the vectors in place, returns the loss."""
        import torch

        count = len(self._optimizer.variables)
        optimizer_state, keep, batch = list(rest[:count]), rest[count], rest[count + 1 :]
        leaf = flat.detach().requires_grad_()
        loss = loss_of_flat(self._loss, self._variables, leaf, *batch)
        (gradient,) = torch.autograd.grad(loss, [leaf])
        with torch.no_grad():
            # A copy: Keras's optimizers change it in place here.
            before = None if self._shares is None else flat.clone()
            (new,), state = self._optimizer.stateless_apply(optimizer_state, [gradient], [flat])
            new = part_way(before, new, self._shares)
            for old, value in zip((flat, *optimizer_state), (new, *state), strict=True):
                if old is not value:
                    old.copy_(value)
            average.mul_(keep).add_(flat * (1 - keep))
        return loss.detach()

    def learn(self, team: Team, rank: int, batch: Sequence[Any], rate: float, keep: float) -> Any:
        """One step; returns the loss as a tensor that need not be there yet."""
        import torch

        del team, rank  # one process
        self._kept[self._rate_at].fill_(rate)
        keeping = torch.full((), keep, device=place())
        return self._step(keeping, *(torch.as_tensor(part, device=place()) for part in batch))

    def restart(self) -> None:
        """Take the weights that the models have now, and forget the optimizer's state."""
        start = flattened(self._variables)
        self.restore(
            {name: np.zeros(tensor.shape) for name, tensor in self._named()}
            | {"flat": start, "average": start}
        )

    def average(self) -> Any:
        """The averaged weights, as a vector on the device."""
        return self._kept[1]

    def state(self) -> dict[str, np.ndarray]:
        """Everything that a later run needs to go on."""
        return {name: tensor.cpu().numpy() for name, tensor in self._named()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a `state`."""
        import torch

        for name, tensor in self._named():
            tensor.copy_(torch.as_tensor(np.asarray(state[name])))

    def _named(self) -> list[tuple[str, Any]]:
        optimizer = [(f"optimizer{i}", tensor) for i, tensor in enumerate(self._kept[2:])]
        return [("flat", self._kept[0]), ("average", self._kept[1]), *optimizer]


def _index(variables: Sequence[Any], wanted: Any) -> int:
    return next(index for index, variable in enumerate(variables) if variable is wanted)
