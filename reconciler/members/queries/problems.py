"""Why a query can't be used, in our words: databases quote values, so none of their texts is shown."""

from dataclasses import dataclass
from enum import Enum

from reconciler.core.database import Driver
from reconciler.core.errors import Finding
from reconciler.core.model import SourceLocation


class QueryProblem(Enum):
    """What is wrong, and its fix."""

    UNPARSED = ("this is not a statement of this database's SQL", "try it in the database's own client")
    EMPTY = ("there is no statement", "write one SELECT statement")
    SEVERAL = ("there is more than one statement", "write one SELECT statement")
    WRITES = ("the statement does more than read", "write one SELECT statement, without INTO or FOR UPDATE")
    ACTS = ("the statement calls a function that acts or runs text", "write a query that only reads")
    COMMENT = (
        "the statement has a comment that the database runs or obeys",
        "remove comments that begin with `/*!`, `/*M!` or `/*+`",
    )
    PARAMETER = ("the statement names a parameter that isn't there", "only `:today` is known")
    NO_FILE = (
        "the database file is not below the data root",
        "check `file` of the connection, and data.root",
    )
    NO_DATABASE = ("the file is not a database of this kind", "check `file` and `driver` of the connection")
    IN_USE = (
        "the database is open in another process, or of another version of DuckDB",
        "run again when it is closed, or write it with the installed version",
    )
    NO_HOST = ("the host name has no address", "check `host` of the connection")
    UNREACHABLE = ("no server answers at this host and port", "check `host` and `port`, and the firewall")
    NO_AUTHORITY = ("there is no file of that name in the project", "check `caFile` of the connection")
    LOGIN = (
        "the server refused the login or its TLS mode",
        "check `user`, `password`, `database` and `tls` of the connection; `reconciler doctor` tries each",
    )
    NOT_GRANTED = (
        "the role, the warehouse or the database does not exist, or the user may not use it",
        "check `role`, `warehouse` and `database` of the connection, and grant them",
    )
    WRITABLE = (
        "the session could not be made read-only",
        "let the user connect to a database that allows it",
    )
    FORBIDDEN = (
        "the user lacks a right",
        "grant SELECT on the tables of the query; `reconciler doctor` names them",
    )
    UNSEEN = (
        "a table or view does not exist, or the role may not see it",
        "check the names, and grant USAGE and SELECT to the role; `reconciler doctor` names tables",
    )
    NO_WAREHOUSE = (
        "no warehouse runs the statement",
        "check `warehouse` of the connection, and grant USAGE on it to the role",
    )
    UNKNOWN_NAME = ("a table, column or function does not exist", "check the names, and the search path")
    TWICE = ("two columns have one name", "give each column a name of its own with AS")
    INVALID = ("the database can't run the statement", "try it in the database's own client")
    VALUE = ("the statement fails on a value", "convert only values that convert, such as with CASE")
    UNSUPPORTED = (
        "the server lacks a part of Arrow Flight SQL that the statement needs",
        "remove `:today` if the server binds no parameters; it must have prepared statements",
    )
    ELSEWHERE = (
        "the server names another host for the rows, to which the login would go without TLS",
        "let it name hosts by grpc+tls, or none",
    )
    CREDENTIALS = (
        "Google refused the credentials",
        "check `serviceAccountKey` of the connection, or the identity of this machine if there is none",
    )
    NO_CREDENTIALS = (
        "there are no usable credentials of Google",
        "`serviceAccountKey` refers to a key in JSON; without it, this machine needs default credentials",
    )
    NO_JOBS = (
        "this login can't run queries in the project",
        "check `project` of the connection, and grant roles/bigquery.jobUser on that project",
    )
    NO_READ_SESSIONS = (
        "this login can't read results",
        "grant roles/bigquery.readSessionUser on the project of the connection",
    )
    TOKEN = (
        "Databricks refused the token",
        "check `token` of the connection; a token ends, and belongs to one workspace",
    )
    PRINCIPAL = (
        "Databricks refused the service principal",
        "check `clientId` and `clientSecret` of the connection; a secret ends",
    )
    SQL_WAREHOUSE = (
        "the SQL warehouse does not exist, or this login may not use it",
        "check `warehouseId` of the connection, and grant CAN USE on the warehouse",
    )
    NO_FILES = (
        "the SQL warehouse refused how its results are asked for: as files of Arrow",
        "check `warehouseId` of the connection; a real-time warehouse may have no such results",
    )
    NOT_A_WORKSPACE = (
        "this host does not answer as a workspace of Databricks does",
        "check `host` of the connection; redirects are not followed",
    )
    CERTIFICATE = (
        "the certificate of the server can't be verified",
        "check `host` of the connection; SSL_CERT_FILE names other authorities",
    )
    OPEN_ADDRESS = (
        "the workspace names an address without TLS for the rows, which were not read",
        "check `host` of the connection: Databricks names addresses with TLS only",
    )
    COST = (
        "the query reads more bytes than this login may",
        "select fewer columns or partitions, or raise `plan.maxBytesBilled` of the connection",
    )
    RESULT = (
        "the result is larger than the database returns",
        "select fewer rows or columns",
    )
    RESOURCES = (
        "the query needs more work than BigQuery does for one query",
        "make the query simpler, or select fewer rows",
    )
    QUOTA = (
        "a quota or the billing of the project forbids the query",
        "check the quotas and the billing of the project, and run again",
    )
    MANY = (
        "the query returns more rows than this login may read",
        "select fewer rows, or raise `plan.maxRows` of the connection",
    )
    TIME = ("the statement took longer than its time limit", "make it faster, or raise `timeout`")
    LOST = ("the connection broke off", "run again when the database is well")
    BUSY = ("the database is locked or has no room", "run again when other work has ended")
    TYPES = ("the rows can't be read as columns", "cast each column to text, a number, a date or a time")
    NO_TIME = (
        "`freshness` does not return one date or time",
        "select one value, such as max(loaded_at); an empty table has none",
    )
    OTHER = ("the database refused the statement", "try it in the database's own client")

    @property
    def text(self) -> str:
        return str(self.value[0])

    @property
    def remedy(self) -> str:
        return str(self.value[1])


@dataclass(eq=False)
class QueryError(Exception):
    """A query that can't be used. `code` is the database's own code for it, "" if it has none.

    `limit` is the number that was exceeded, and `amount` the one that exceeds it; 0 if unknown. `index` is
    where the statement is wrong; None if that is unknown.
    """

    problem: QueryProblem
    code: str = ""
    limit: int = 0
    amount: int = 0
    index: int | None = None

    def finding(self, place: SourceLocation, connection: str) -> Finding:
        """Return what a user reads. SQLSTATE and SQLite's codes hold no values."""
        amount = f"{self.amount:,}" if self.amount else ""
        limit = f"limit {self.limit:,}" if self.limit else ""
        found = ", ".join(filter(None, (self.code, amount, limit)))
        more = f" ({found})" if found else ""
        return Finding(str(place), f"{connection}: {self.problem.text}{more}", self.problem.remedy)


@dataclass(eq=False)
class NotInstalledError(Exception):
    """What reads a kind of database is not installed."""

    driver: Driver

    def finding(self, place: SourceLocation, connection: str) -> Finding:
        problem = f"{connection}: what reads {self.driver.value} is not installed"
        return Finding(str(place), problem, f"pip install 'criteo-reconciler[{self.driver.value}]'")
