"""Shell completion: environments, addresses and credentials of the project, read offline."""

from collections.abc import Callable, Iterator
from pathlib import Path

import click

from reconciler.core.errors import ReconcilerError

Known = Callable[[Path, str], Iterator[object]]


def environment_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    return _beginning(incomplete, ctx, lambda _, environment: iter([environment]))


def address_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    from reconciler.manifests.completion import addresses

    return _beginning(incomplete, ctx, addresses)


def selectable_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Addresses, and the names of their audiences."""
    from reconciler.manifests.completion import addresses

    def known(root: Path, environment: str) -> Iterator[object]:
        for address in addresses(root, environment):
            yield from (address, address.audience)

    return _beginning(incomplete, ctx, known)


def credential_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    from reconciler.manifests.completion import credentials

    return _beginning(incomplete, ctx, credentials)


def _beginning(incomplete: str, ctx: click.Context, known: Known) -> list[str]:
    """Return no suggestions on any error: the user is typing, and the environment may be incomplete."""
    from reconciler.manifests import environments, find_root

    try:
        root, typed = find_root(Path(ctx.params.get("directory") or ".")), ctx.params.get("environment")
        names = {str(one) for each in ([typed] if typed else environments(root)) for one in known(root, each)}
    except (ReconcilerError, OSError):
        return []
    return sorted(name for name in names if name.startswith(incomplete))
