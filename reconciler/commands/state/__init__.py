"""`state`: shows, restores, rebuilds, exports, imports and reseals the state, and manages its lock."""

import click

from reconciler.commands.support.lazy_group import LazyGroup
from reconciler.commands.support.options import CommonOptions, with_options

COMMANDS = {
    "show": "Show addresses, sizes and uncertain members",
    "history": "List the saved versions",
    "restore": "Return to a saved version",
    "rebuild": "Recreate a lost state from ownership tags",
    "export": "Write the state and its members into one file",
    "import": "Import an exported state where there is none",
    "reseal": "Rewrite all snapshots under the current key",
    "lock": "Show or release the lock",
}


@click.group(name="state", cls=LazyGroup, package=__name__, descriptions=COMMANDS)
@with_options(CommonOptions)
def command(_: CommonOptions) -> None:
    """Show, restore, rebuild and move an environment's state; manage its lock.

    \b
      reconciler state show production                  show addresses, sizes, uncertain members
      reconciler state history production               list saved versions
      reconciler state restore production --serial 41   return to a saved version
      reconciler state rebuild production               recreate a lost state from ownership tags
      reconciler state export production FILE           move the state to another backend,
      reconciler state import production FILE           which has no state yet
      reconciler state reseal production                rewrite snapshots under the current key
      reconciler state lock list production             show the holder of the lock
      reconciler state lock break production --id ID    release the lock of a run that no longer exists
    """
