"""`env:NAME`: a variable of the environment."""

from collections.abc import Mapping

from reconciler.core.errors import AuthenticationError
from reconciler.core.secret import Secret


class EnvBackend:
    """Secrets that the caller's environment holds, as CI systems hand them over."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def fetch(self, name: str) -> Secret:
        value = self._environ.get(name, "").strip()
        if not value:
            state = "empty" if name in self._environ else "not set"
            raise AuthenticationError(
                f"the environment variable {name} is {state}",
                remedy=f"export {name}, or change the reference env:{name} in the manifest",
            )
        return Secret(value)
