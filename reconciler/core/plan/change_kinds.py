"""What may happen to an address, and what may block it."""

from enum import StrEnum


class ChangeKind(StrEnum):
    """What happens to an address; UNCHANGED is approved like everything else."""

    CREATE = "create"
    ADOPT = "adopt"
    UPDATE = "update"
    REPLACE = "replace"
    REFILL = "refill"
    FORGET = "forget"
    UNCHANGED = "unchanged"


class Cause(StrEnum):
    """Why an address is blocked: the others are planned and applied without it."""

    SOURCE = "source"
    """Its source, or an exclusion list, can't be read or used."""

    GUARD = "guard"
    SEGMENT = "segment"
    """Its segment at Criteo is not fit, or a request for it is unconfirmed."""

    NAME = "name"
    """The name it wants is taken by a segment that is not its own."""

    DEPENDENCY = "dependency"
    """It depends on an address that is blocked."""

    APPROVAL = "approval"
    """What is to be done with it needs an approval, and has none that holds."""
