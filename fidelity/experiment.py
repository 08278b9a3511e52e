"""What an experiment is: one question, what we assume, and what was seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from fidelity.lab import Lab, Unseen


@dataclass(frozen=True)
class Result:
    """`value` is as the emulator's switch would have it, `detail` what it was read from."""

    value: object
    detail: str = ""


@dataclass(frozen=True)
class Experiment:
    """`switch` is the emulator's, if it has one for this; a "return" needs a computation in between."""

    name: str
    question: str
    assumed: object
    run: Callable[[Lab], Result]
    switch: str = ""
    stage: Literal["now", "return"] = "now"


def largest(taken: Callable[[int], bool], first: Sequence[int]) -> tuple[int, int]:
    """The largest number that is taken, and the smallest that is not (0: none was refused).

    `first` rises: the numbers to begin with. Between two of them it halves.
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
