"""How an environment reaches the databases of its sources: references to secrets, never secrets."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from reconciler.core.model import SourceLocation

NOWHERE = SourceLocation("", 0, 0)
TIME_LIMIT = timedelta(minutes=5)


class Driver(StrEnum):
    """A kind of database, and the name of the extra that installs what reads it."""

    SQLITE = "sqlite"
    DUCKDB = "duckdb"
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    FLIGHTSQL = "flightsql"
    BIGQUERY = "bigquery"
    SNOWFLAKE = "snowflake"
    DATABRICKS = "databricks"

    @property
    def is_a_file(self) -> bool:
        return self in (Driver.SQLITE, Driver.DUCKDB)


class Dialect(StrEnum):
    """The SQL of a server of Arrow Flight SQL, which the protocol leaves open."""

    ANSI = "ansi"
    DREMIO = "dremio"
    DORIS = "doris"
    DUCKDB = "duckdb"
    POSTGRESQL = "postgresql"


class TlsMode(StrEnum):
    """How a server is authenticated, in libpq's words."""

    VERIFY_FULL = "verify-full"
    REQUIRE = "require"
    DISABLE = "disable"


@dataclass(frozen=True, slots=True)
class Server:
    """Where a database server answers. `ca_file` is relative to the project; "" for the system's.

    `database` is "" if a server of Arrow Flight SQL has only one. For BigQuery, it is the default dataset.
    """

    host: str
    port: int
    database: str
    tls: TlsMode = TlsMode.VERIFY_FULL
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """Who reads, as references (`env:NAME`), and how long one statement may take. A file has no user.

    `max_rows` is how many rows a query may return, and `max_bytes` how many bytes it may read; None for any
    number. A `token` stands in for a user and a password. `key` is the key of a service account; without one,
    BigQuery is asked as the account that the machine runs as. `by_key`: the password is a private key. `role`
    is Snowflake's, and `warehouse` a warehouse of Snowflake or Databricks.
    """

    user: str = ""
    password: str = ""
    time_limit: timedelta = TIME_LIMIT
    max_rows: int | None = None
    token: str = ""
    key: str = ""
    max_bytes: int | None = None
    by_key: bool = False
    role: str = ""
    warehouse: str = ""


@dataclass(frozen=True, slots=True)
class DatabaseConnection:
    """A database of one environment: a `file` below the data root, or a `server`.

    `plan_login` may read only what a plan needs; if it is None, `login` is used for plans too. `dialect` is
    for Flight SQL only; `project`, which pays, and `location` are for BigQuery only. `catalog` is for
    Databricks only, where the server's database is a schema of it.
    """

    name: str
    driver: Driver
    file: str = ""
    server: Server | None = None
    login: Login = Login()
    plan_login: Login | None = None
    place: SourceLocation = NOWHERE
    dialect: Dialect = Dialect.ANSI
    project: str = ""
    location: str = ""
    catalog: str = ""

    @property
    def leads_to(self) -> str:
        """Return what is read, as a definition states it: without logins."""
        if self.server is None:
            return f"{self.driver.value}:{self.file}"
        catalog = f"{self.catalog}/" if self.catalog else ""  # a schema of that name leads elsewhere
        path = "/".join(filter(None, (self.project, self.server.database)))
        return f"{self.driver.value}://{self.server.host}:{self.server.port}/{catalog}{path}"

    @property
    def writing(self) -> "DatabaseRole":
        return DatabaseRole(self, self.login, plan_login=False)

    @property
    def reading(self) -> "DatabaseRole":
        if self.plan_login is None:
            return self.writing
        return DatabaseRole(self, self.plan_login, plan_login=True)

    def roles(self) -> tuple["DatabaseRole", ...]:
        """Return the login of an apply, and that of plans if it is another one."""
        return tuple(dict.fromkeys((self.writing, self.reading)))


@dataclass(frozen=True, slots=True)
class DatabaseRole:
    """One login of a connection. Prints as doctor names it."""

    connection: DatabaseConnection
    login: Login
    plan_login: bool

    def __str__(self) -> str:
        return f"{self.connection.name} (plan)" if self.plan_login else self.connection.name
