"""A case of the table: the fault, the output, and what may have changed at Criteo."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from faults.project import AFTER, World

APPLY = ("apply", "sandbox", "--yes", "-v")
PLAN = ("plan", "sandbox", "-v")


class Leaves(Enum):
    """What a command may have changed when it ends. The next apply resumes from any of these."""

    NOTHING = "nothing was sent, and the state is the same to the byte"
    NOTED = "nothing took effect at Criteo; the state says what was tried"
    PART = "what Criteo took is written down, and is not sent again"
    ALL = "all was applied"


@dataclass(frozen=True)
class Case:
    """`name` is what happened, in words that follow "when". `says` and `hint` are parts of the output.

    `way` is how Criteo is reached: the emulator in the process, or the server that answers as
    configured, by HTTP or by HTTPS with one of the certificates. `repairs` removes the cause; without it,
    everything that was broken is put back. `people` is who should be in the segments in the end.
    """

    name: str
    breaks: Callable[[World], object]
    code: int
    says: str
    hint: str = ""
    run: tuple[str, ...] = APPLY
    leaves: Leaves = Leaves.NOTHING
    start: Literal["applied", "fresh"] = "applied"
    way: Literal["emulator", "http", "good", "elsewhere", "expired"] = "emulator"
    repairs: Callable[[World], object] | None = None
    people: range = AFTER

    @property
    def id(self) -> str:
        return "-".join(self.name.replace("`", "").replace(",", "").split())


@dataclass(frozen=True)
class Group:
    """Cases of one kind, under the heading that docs/reference/errors.md gives them."""

    heading: str
    intro: str
    cases: tuple[Case, ...]
