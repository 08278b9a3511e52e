"""Whether the libraries of a driver are installed. None of them is loaded."""

from functools import cache
from importlib.util import find_spec

from reconciler.core.database import Driver
from reconciler.members.queries.drivers import KINDS
from reconciler.members.queries.problems import NotInstalledError


def require(driver: Driver) -> None:
    """Raise NotInstalledError if a library of the driver is missing."""
    if not _are_there(driver):
        raise NotInstalledError(driver)


@cache
def _are_there(driver: Driver) -> bool:
    try:
        return all(find_spec(one) for one in KINDS[driver].libraries)
    except ModuleNotFoundError:  # a part of a package, whose other parts are missing too
        return False
