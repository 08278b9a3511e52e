"""Libraries that only one backend needs. They are installed with its extra."""

from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.core.errors import AuthenticationError


@contextmanager
def require_extra(kind: str, extra: str) -> Iterator[None]:
    """Name the missing extra if an import in this context fails."""
    try:
        yield
    except ImportError:
        raise AuthenticationError(
            f"{kind}: needs the extra", remedy=f"pip install 'criteo-reconciler[{extra}]'"
        ) from None
