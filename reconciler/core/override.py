"""An exception from guards that expires, and the document that a message advises. Frozen values."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from reconciler.core.lifecycle import selects
from reconciler.core.model import Address, Guards, SourceLocation

EVERYTHING = "*"
LONGEST = timedelta(days=14)
"""An override expires at most so long after today."""
ADVISED = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Override:
    """Other limits for the addresses that `selector` selects, until the end of the day `expires` in UTC.

    `selector` is an address, the name of an audience, or `*`. `limits` are fields of `Guards`; `written` has
    them as the manifest does. `place` is that of the day.
    """

    selector: str
    limits: tuple[tuple[str, float], ...]
    written: str
    reason: str
    expires: date
    place: SourceLocation

    @property
    def digest(self) -> str:
        """Return the digest by which a plan approves it."""
        stated = [self.selector, sorted(self.limits), self.reason, self.expires.isoformat()]
        return hashlib.sha256(json.dumps(stated).encode()).hexdigest()

    def selects(self, address: Address) -> bool:
        return self.selector == EVERYTHING or selects(self.selector, address)

    def over(self, guards: Guards) -> Guards:
        return replace(guards, **dict(self.limits))  # type: ignore[arg-type]


def too_late(expires: date, today: date) -> tuple[str, str] | None:
    """Return the problem and the fix of an override that expires so late; None if it counts."""
    last = today + LONGEST
    if expires <= last:
        return None
    return (
        f"this override expires on {expires} (limit {LONGEST.days} days from today)",
        f"write a day up to {last}; for a permanent limit, set it under `guards` in the manifests",
    )


def advice(selector: str, limits: Mapping[str, str], today: date, file: str) -> str:
    """Return a document to append to the overrides of the environment that a manifest belongs to."""
    folder = file.split("/")[:2]
    written = ", ".join(f"{key}: {value}" for key, value in limits.items())
    stated = f'guards: {{{written}}}, reason: "…", expires: "{today + ADVISED}"'
    line = f'{{kind: Override, address: "{selector}", {stated}}}'
    file_name = "/".join([*folder, "overrides.yaml"])
    return f"if intended, append `--- {line}` to {file_name}, with your reason"
