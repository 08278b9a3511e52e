"""`defaultCountry`: where phone numbers are written that have no country code."""

from collections.abc import Iterator

from reconciler.core.model import IdentifierType
from reconciler.manifests.index import ManifestIndex, list_paths
from reconciler.manifests.syntax.nodes import Issue, IssueRank, ManifestDocument, PathStep

KEY, PHONE = "defaultCountry", IdentifierType.PHONE_NUMBER.value


def countries(audience: ManifestDocument, inventory: ManifestIndex) -> dict[str, int | None]:
    """Return the countries that the phone numbers of an audience may be from, and who says so.

    The audience itself (None), or else its destinations, by index. One column is read in one way.
    """
    if own := audience.text_of(KEY):
        return {own: None}
    found: dict[str, int | None] = {}
    for index, name in audience.texts("destinations"):
        destination = inventory.named["Destination"].get(name)
        if destination and destination.text_of("identifierType") == PHONE and destination.text_of(KEY):
            found.setdefault(destination.text_of(KEY), index)
    return found


def check(inventory: ManifestIndex) -> Iterator[Issue]:
    """Check what the schemas cannot check of `defaultCountry`."""
    for destination in inventory.declared["Destination"]:
        yield from _country(destination)
        kind = destination.text_of("identifierType")
        if destination.text_of(KEY) and kind and kind != PHONE:
            yield _flaw(
                destination,
                (KEY,),
                f"{KEY} is for phone numbers, and this destination takes {kind}",
                "remove it",
            )
    for home in inventory.declared["Environment"]:
        for path in list_paths(home):
            yield from _columns(home, *path)
    for audience in inventory.declared["Audience"]:
        yield from _audience(audience, inventory)


def _columns(document: ManifestDocument, *path: PathStep) -> Iterator[Issue]:
    yield from _country(document, *path)
    columns = document.value(*path, "columns")
    if document.value(*path, KEY) and isinstance(columns, dict) and PHONE not in columns:
        problem = f"{KEY} is for phone numbers, and `columns` names no column for them"
        remedy = f"add `{PHONE}: <column>` under `columns`, or remove it"
        yield _flaw(document, (*path, KEY), problem, remedy)


def _audience(audience: ManifestDocument, inventory: ManifestIndex) -> Iterator[Issue]:
    for path in ((), *list_paths(audience)):
        yield from _columns(audience, *path)
    if len(found := countries(audience, inventory)) > 1:
        *_, (country, index) = found.items()
        yield _flaw(
            audience,
            ("destinations", index or 0),
            f"this destination's {KEY} is {country}, that of another one {next(iter(found))}",
            f"one column is read in one way: write `{KEY}:` in this audience",
        )


def _country(document: ManifestDocument, *path: PathStep) -> Iterator[Issue]:
    from reconciler.core.phone_numbers import countries as known

    value = document.value(*path, KEY)
    if value and value not in known():
        remedy = "write the two letters of ISO 3166, such as FR, DE or GB"
        yield _flaw(document, (*path, KEY), "there is no such country", remedy)


def _flaw(document: ManifestDocument, path: tuple[PathStep, ...], problem: str, remedy: str) -> Issue:
    return Issue(document.place(*path), IssueRank.SCHEMA, problem, remedy)
