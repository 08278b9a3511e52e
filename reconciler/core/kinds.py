"""What may happen to an address."""

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
