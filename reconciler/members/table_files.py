"""Files of a table, which its log or its metadata names: all lie in the data root, as they were written."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.model import SourceLocation
from reconciler.members.data_root import DataRoot, NoListingError, SourceChangedError
from reconciler.members.intake import UnusableError
from reconciler.members.sources import shown_in

AGAIN = "copy the whole table again, or let its owner repair it"
_UNUSABLE = "a table can't be used"


def refused(problem: str, remedy: str, place: SourceLocation) -> ConfigurationError:
    return ConfigurationError(_UNUSABLE, findings=[Finding(str(place), problem, remedy)])


@contextlib.contextmanager
def refusals(shown: str, place: SourceLocation) -> Iterator[None]:
    """Raise ConfigurationError for what makes a table unusable. `shown` is what messages call the table."""
    try:
        yield
    except UnusableError as error:
        raise refused(f"{shown} {error.problem}", error.remedy, place) from None
    except SourceChangedError:
        raise refused(f"{shown} changed while it was read", "run again", place) from None
    except NoListingError:
        problem = f"a web server has no listing of its files, and {shown} needs one"
        raise refused(problem, "use a folder or an object store", place) from None


def refuse_identifiers(
    shown: str, partitions: Iterable[str], identifiers: Iterable[str], place: SourceLocation
) -> None:
    """Raise ConfigurationError if a column of identifiers is one of partitions."""
    folders = {one.casefold() for one in partitions}
    if any(one.casefold() in folders for one in identifiers):
        problem = f"{shown} is partitioned by identifiers, which are never read from folders"
        raise refused(problem, "name another column", place)


def require_inside(root: DataRoot, found: Sequence[Path]) -> Sequence[Path]:
    """Return the same files. Raises UnusableError if a link leads one out of the data root."""
    if not all(path.resolve().is_relative_to(root.folder) for path in found):
        remedy = "copy the table, or make the folder it is in the data root"
        raise UnusableError("leads out of the data root by a link", remedy)
    return found


def check_sizes(
    root: DataRoot, sizes: Mapping[Path, int], files: Sequence[Path], stated_by: str, place: SourceLocation
) -> None:
    """Raise ConfigurationError if files have another size than is stated. The files were brought."""
    unsound = [file for file in files if _size(file) != sizes[file]]
    if unsound:
        others = len(unsound) - 1
        called = f"{shown_in(root.folder, unsound[0])}{_and(others)} {'have' if others else 'has'}"
        problem = f"{called} another size than {stated_by} says"
        raise ConfigurationError(_UNUSABLE, findings=[Finding(str(place), problem, AGAIN)])


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None


def _and(others: int) -> str:
    return f" and {others:,} other file{'' if others == 1 else 's'}" if others else ""
