"""An experiment: one question, the assumption, and the observation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from fidelity.lab import Lab, Unseen


@dataclass(frozen=True)
class Result:
    """`value` is the value of the emulator's switch, `detail` its evidence."""

    value: object
    detail: str = ""


@dataclass(frozen=True)
class Experiment:
    """`switch` is the emulator's switch, if any; a "return" needs a computation in between."""

    name: str
    question: str
    assumed: object
    run: Callable[[Lab], Result]
    switch: str = ""
    stage: Literal["now", "return"] = "now"


def largest(taken: Callable[[int], bool], first: Sequence[int]) -> tuple[int, int]:
    """Return the largest accepted number, and the smallest refused number (0: none).

    `first` are rising numbers to begin with. Between two of them the range is halved.
    """
    low, high = 0, 0
    for number in first:
        if not taken(number):
            high = number
            break
        low = number
    if not high:
        return low, 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if taken(middle) else (low, middle)
    if not low:
        raise Unseen("not even one was taken")
    return low, high
