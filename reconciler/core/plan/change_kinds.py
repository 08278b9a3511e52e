"""What may happen to an address, and what may block it."""

from enum import StrEnum


class ChangeKind(StrEnum):
    """What happens to an address; UNCHANGED is approved like everything else."""

    CREATE = "create"
    ADOPT = "adopt"
    UPDATE = "update"
    MOVE = "move"
    REPLACE = "replace"
    REFILL = "refill"
    FORGET = "forget"
    EMPTY = "empty"
    DELETE = "delete"
    UNCHANGED = "unchanged"


class Cause(StrEnum):
    """Why an address is blocked. The other addresses are planned and applied without it."""

    SOURCE = "source"
    """Its source or an exclusion list is not readable or not usable."""

    GUARD = "guard"
    PROMOTION = "promotion"
    """Its definition changed, and `promotion.lock` does not prove it."""

    SEGMENT = "segment"
    """Its segment at Criteo is not suitable, or a request for it is unconfirmed."""

    NAME = "name"
    """The name it needs belongs to another segment."""

    DEPENDENCY = "dependency"
    """It depends on an address that is blocked."""

    APPROVAL = "approval"
    """Its change needs an approval, and no valid approval covers it."""
