"""What every place that keeps secrets offers."""

from typing import Protocol

from reconciler.core.secret import Secret


class Backend(Protocol):
    """One place. Errors: AuthenticationError when the secret is missing or can't be trusted."""

    def fetch(self, name: str) -> Secret:
        """The secret kept under `name`, which is what follows the colon of a reference."""
        ...
