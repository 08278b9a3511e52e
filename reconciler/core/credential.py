"""How an environment authenticates to Criteo: references to secrets, never secrets."""

from dataclasses import dataclass
from typing import Literal

from reconciler.core.model import SourceLocation

NOWHERE = SourceLocation("", 0, 0)
GrantName = Literal["clientCredentials", "authorizationCode"]


@dataclass(frozen=True, slots=True)
class Application:
    """A Criteo application and how it gets tokens. Ids, secrets and tokens are references (`env:NAME`)."""

    grant: GrantName
    client_id: str
    client_secret: str
    refresh_token: str = ""
    redirect_uri: str = ""
    pkce: bool = False


@dataclass(frozen=True, slots=True)
class Credential:
    """How to authenticate. `plan_application` only reads; if it is None, `application` reads too."""

    name: str
    application: Application
    plan_application: Application | None = None
    place: SourceLocation = NOWHERE

    def roles(self) -> tuple["CredentialRole", ...]:
        """The one that may write, and the one that only reads if there is one."""
        writing = CredentialRole(self.name, self.application, plan_application=False)
        return (
            (writing, CredentialRole(self.name, self.plan_application, plan_application=True))
            if self.plan_application
            else (writing,)
        )

    @property
    def writing(self) -> "CredentialRole":
        return self.roles()[0]

    @property
    def reading(self) -> "CredentialRole":
        return self.roles()[-1]


def shown_reference(reference: str) -> str:
    """A reference to a secret as it may be printed: of a command line, only that it is one."""
    return "a command" if reference.startswith("command:") else reference


@dataclass(frozen=True, slots=True)
class CredentialRole:
    """One application of a credential. `plan_application`: the read-only one."""

    credential: str
    application: Application
    plan_application: bool

    def __str__(self) -> str:
        return f"{self.credential} (plan)" if self.plan_application else self.credential

    def login(self, environment: str) -> str:
        """Return the command that gets a consent."""
        option = " --plan" if self.plan_application else ""
        return f"`reconciler auth login {environment} {self.credential}{option}`"
