"""Taking turns: whoever has much waiting delays another by its next item, not by all it has."""

from collections import OrderedDict, deque
from collections.abc import Hashable
from itertools import takewhile
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Items that wait, in order per owner; owners take turns. With n owners waiting each gets every nth `pop`."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Hashable, deque[T]] = OrderedDict()

    def put(self, owner: Hashable, item: T) -> None:
        """Queue *item* behind what *owner* has; an owner that had nothing gets its turn after all who wait."""
        items = self._waiting.get(owner)
        if items is None:
            items = self._waiting[owner] = deque()
        items.append(item)

    def pop(self) -> T:
        """The next item of the owner whose turn it is. Raises IndexError where nobody waits."""
        for owner, items in self._waiting.items():
            item = items.popleft()
            if items:
                self._waiting.move_to_end(owner)
            else:
                del self._waiting[owner]
            return item
        raise IndexError("nobody waits")

    def take(self, most: int) -> list[T]:
        """The next items, *most* at most."""
        return [self.pop() for _ in takewhile(lambda _: self._waiting, range(most))]

    def clear(self) -> None:
        """Drop everything."""
        self._waiting.clear()

    def __bool__(self) -> bool:
        return bool(self._waiting)
