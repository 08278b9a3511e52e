"""Which login a command uses: that of an apply, or that of a plan if there is another one."""

from operator import attrgetter
from typing import Protocol, overload

from reconciler.core.credential import Credential, CredentialRole
from reconciler.core.database import DatabaseConnection, DatabaseRole


class RoleChoice(Protocol):
    """Returns one role of a credential, or one login of a connection to a database."""

    @overload
    def __call__(self, one: Credential, /) -> CredentialRole: ...
    @overload
    def __call__(self, one: DatabaseConnection, /) -> DatabaseRole: ...


READING: RoleChoice = attrgetter("reading")
WRITING: RoleChoice = attrgetter("writing")
