"""A signal that comes in the very moment in which a block is entered, as one in thousands does."""

import contextlib
import ctypes
import operator
from typing import Any

_to_this_thread = getattr(ctypes.CDLL(None), "raise")


class _Interrupted(contextlib._GeneratorContextManager):
    number: int

    @property
    def gen(self) -> Any:
        """At first one that ends with the signal, without an instruction of Python in between."""
        number, self.number = self.number, 0
        generator = self.__dict__["gen"]
        if not number:
            return generator
        return map(operator.itemgetter(0), zip(generator, map(_to_this_thread, [number])))  # noqa: B905


def interrupted(
    block: contextlib.AbstractContextManager[Any], number: int
) -> contextlib.AbstractContextManager[Any]:
    """The block, of `contextlib.contextmanager`: the signal comes when its first part is over.

    Python hears it in `__enter__`, whose caller is not in the block yet.
    """
    block.number = number  # type: ignore[attr-defined]
    block.__class__ = _Interrupted
    return block
