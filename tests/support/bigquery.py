"""A double of BigQuery for the tests of queries, in a process of its own."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from support.databases import CERTIFICATES, Row, SqlServer, free_port, values

from reconciler.core.database import DatabaseConnection, Driver, Login, Server, TlsMode
from reconciler.core.secret import Secret
from reconciler.members.queries.databases import Databases
from reconciler.members.queries.installed import require
from reconciler.members.queries.problems import NotInstalledError

SCRIPT = Path(__file__).parent / "bigquery_server.py"
SUBJECT_TOKEN = "not-a-secret-token-of-the-runner"
ACCOUNT = "reader@example-project.iam.gserviceaccount.com"
PROJECT = "example-project"
POOL = "projects/1/locations/global/workloadIdentityPools/ci"


def _is_installed() -> bool:
    try:
        require(Driver.BIGQUERY)
    except NotInstalledError:
        return False
    return True


INSTALLED = _is_installed()


@dataclass
class BigQueryServer(SqlServer):
    """A server on this machine, which keeps nothing: each start gets the rows again."""

    folder: Path
    port: int
    driver: Driver = Driver.BIGQUERY
    home: str = "crm"
    process: subprocess.Popen[str] | None = None
    rows: Sequence[Row] = ()
    pair: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def start(self) -> None:
        public = self.pair.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (self.folder / "public.pem").write_bytes(public)
        words = [sys.executable, str(SCRIPT), str(self.folder), str(self.port)]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout
        assert self.process.stdout.readline() == "ready\n", (self.folder / "log").read_text()
        if self.rows:
            self.write(self.rows)

    def stop(self) -> None:
        assert self.process
        self.process.kill()
        self.process.communicate()

    def admin(self, sql: str) -> str:
        return str(self._asked(sql))

    def configs(self) -> list[dict[str, Any]]:
        """Return the configurations of all jobs, oldest first."""
        configs: list[dict[str, Any]] = self._asked("configs")
        return configs

    def cancellations(self) -> int:
        """Return how many queries were cancelled."""
        return len(self._asked("cancellations"))

    def waits(self) -> int:
        """Return how often a client asked whether a query is done."""
        return len(self._asked("waits"))

    def _asked(self, sql: str) -> Any:
        request = Request(f"http://127.0.0.1:{self.port}/admin", sql.encode())
        with urlopen(request) as answer:  # noqa: S310 - our own server
            return json.load(answer)

    def write(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.take()
        self.admin(
            "CREATE OR REPLACE TABLE customers (email VARCHAR, id BIGINT, last_order DATE);"
            f"INSERT INTO customers VALUES {values(rows)}"
        )

    def take(self, *rights: str) -> None:
        """Take rights on tables, or permissions on the project, from the account."""
        (self.folder / "revoked").write_text(" ".join(rights))

    def revoke(self) -> None:
        self.take("customers")

    def disconnect(self) -> None:
        self.stop()
        self.start()

    def key(self, pair: rsa.RSAPrivateKey | None = None) -> str:
        """Return the key of the service account, as Google's console writes it."""
        private = (pair or self.pair).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return json.dumps(
            {
                "type": "service_account",
                "project_id": PROJECT,
                "private_key_id": "1",
                "private_key": private.decode(),
                "client_email": ACCOUNT,
                "token_uri": f"http://127.0.0.1:{self.port}/token",
            }
        )

    def identity(self, folder: Path) -> Path:
        """Return what a CI host writes for workload identity federation."""
        (folder / "token").write_text(SUBJECT_TOKEN)
        stated = {
            "type": "external_account",
            "audience": f"//iam.googleapis.com/{POOL}/providers/ci",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"http://127.0.0.1:{self.port}/sts",
            "credential_source": {"file": str(folder / "token")},
        }
        (folder / "identity.json").write_text(json.dumps(stated))
        return folder / "identity.json"

    def databases(  # type: ignore[override] # a key in place of a user
        self,
        *,
        key: str | None = None,
        time_limit: timedelta = timedelta(minutes=1),
        max_rows: int | None = None,
        max_bytes: int | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> Databases:
        """Return the connection `crm`; without a key for `key=""`."""
        server = Server(host, port or self.port, self.home, TlsMode.DISABLE)
        reference = "" if key == "" else "env:KEY"
        login = Login(time_limit=time_limit, max_rows=max_rows, key=reference, max_bytes=max_bytes)
        connection = DatabaseConnection("crm", self.driver, server=server, login=login, project=PROJECT)
        secret = Secret(self.key() if key is None else key)
        return Databases({"crm": connection.writing}, lambda _: secret, CERTIFICATES)


@contextmanager
def bigquery() -> Iterator[BigQueryServer]:
    folder = Path(tempfile.mkdtemp(prefix="reconciler-bigquery-"))
    (folder / "revoked").write_text("")
    server = BigQueryServer(folder, free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
