"""Work in threads whose results come in order, with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(
    function: Callable[[_Item], _Result], items: Iterable[_Item], threads: int
) -> Iterator[_Result]:
    """`map(function, items)` in threads, at most two items per thread ahead of the consumer.

    The items are taken in the consumer's thread. An exception of the function is raised at its
    item's turn; what was not begun by then is not begun.
    """
    source = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque(pool.submit(function, item) for item in islice(source, 2 * threads))
        try:
            while waiting:
                yield waiting.popleft().result()
                for item in islice(source, 1):
                    waiting.append(pool.submit(function, item))
        finally:
            for future in waiting:
                future.cancel()
