"""Libraries that only one kind of place needs; who doesn't use that kind doesn't install them."""

from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.core.errors import AuthenticationError


@contextmanager
def require_extra(kind: str, extra: str) -> Iterator[None]:
    """Around the imports of a place."""
    try:
        yield
    except ImportError:
        raise AuthenticationError(
            f"{kind}: needs the extra", remedy=f"pip install 'criteo-reconciler[{extra}]'"
        ) from None
