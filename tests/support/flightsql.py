"""A server of Arrow Flight SQL for the tests of queries, in a process of its own."""

import base64
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from pyarrow import flight
from support import flight_sql_server
from support.databases import CERTIFICATES, PASSWORD, READER, Row, SqlServer, free_port, values

from reconciler.core.database import Driver

INSTALLED = find_spec("adbc_driver_flightsql")
SCRIPT = Path(flight_sql_server.__file__)


@dataclass
class FlightSqlServer(SqlServer):
    """A server on this machine, which keeps nothing: each start gets the rows again."""

    folder: Path
    port: int
    driver: Driver = Driver.FLIGHTSQL
    home: str = ""
    process: subprocess.Popen[str] | None = None
    files: list[str] = field(default_factory=list)
    rows: Sequence[Row] = ()

    def start(self) -> None:
        words = [sys.executable, str(SCRIPT), str(self.folder), str(self.port), *self.files]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout
        assert self.process.stdout.readline() == "ready\n", (self.folder / "log").read_text()
        if self.rows:
            self._fill()

    def stop(self) -> None:
        assert self.process
        self.process.kill()
        self.process.communicate()

    def admin(self, sql: str) -> str:
        scheme = "grpc+tls" if self.files else "grpc"
        login = base64.b64encode(f"{READER}:{PASSWORD}".encode())
        options = flight.FlightCallOptions(headers=[(b"authorization", b"Basic " + login)])
        address = f"{scheme}://localhost:{self.port}"
        with flight.connect(address, disable_server_verification=bool(self.files)) as client:
            [answer] = client.do_action(flight.Action("admin", sql.encode()), options)
        return answer.body.to_pybytes().decode()

    def write(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        (self.folder / "revoked").write_text("")
        if self.files:
            self.files = []
            self.disconnect()
        else:
            self._fill()

    def _fill(self) -> None:
        self.admin(
            "CREATE OR REPLACE TABLE customers (email VARCHAR, id BIGINT, last_order DATE);"
            f"INSERT INTO customers VALUES {values(self.rows)}"
        )

    def revoke(self) -> None:
        (self.folder / "revoked").write_text("customers")

    def serves(self, certificate: str) -> None:
        self.stop()
        self.files = [str(CERTIFICATES / certificate), str(CERTIFICATES / "key.pem")]
        self.start()

    def disconnect(self) -> None:
        self.stop()
        self.start()


@contextmanager
def flightsql() -> Iterator[FlightSqlServer]:
    folder = Path(tempfile.mkdtemp(prefix="reconciler-flightsql-"))
    (folder / "revoked").write_text("")
    server = FlightSqlServer(folder, free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
