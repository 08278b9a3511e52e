"""ROAPI for the tests of queries, where it is installed: a server of Arrow Flight SQL of another project.

It answers every reader, binds no parameters, and calls each error INTERNAL.
"""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
from support.databases import Row, SqlServer, free_port, values

from reconciler.core.database import Driver, Login
from reconciler.core.secret import Secret
from reconciler.members.queries.databases import Databases

PROGRAM = Path(__file__).parents[2] / ".roapi" / "bin" / "roapi"
"""Where `make roapi` installs it."""
INSTALLED = PROGRAM.exists()


@dataclass
class RoapiServer(SqlServer):
    """A server on this machine over a Parquet file in `folder`."""

    folder: Path
    port: int
    driver: Driver = Driver.FLIGHTSQL
    home: str = ""
    process: subprocess.Popen[bytes] | None = None

    def write(self, rows: Sequence[Row]) -> None:
        self.stop()
        file = self.folder / "customers.parquet"
        named = f"(VALUES {values(rows)}) AS t(email, id, last_order)"
        items = "email, CAST(id AS BIGINT) AS id, CAST(last_order AS DATE) AS last_order"
        with duckdb.connect() as made:
            made.execute(f"COPY (SELECT {items} FROM {named}) TO '{file}'")
        addresses = {"http": free_port(), "postgres": free_port(), "flight-sql": self.port}
        words = [f"--addr-{name}=127.0.0.1:{port}" for name, port in addresses.items()]
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [PROGRAM, *words, f"--table=customers={file}"], cwd=self.folder, stdout=log, stderr=log
            )
        while not self.answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.02)

    def answers(self) -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def databases(self) -> Databases:  # type: ignore[override] # it has one login and no TLS
        [role] = super().databases().roles.values()
        connection = replace(role.connection, login=Login(token="env:TOKEN"))
        return Databases({"crm": connection.writing}, lambda _: Secret("uuid_token"))


@contextmanager
def roapi() -> Iterator[RoapiServer]:
    folder = Path(tempfile.mkdtemp(prefix="reconciler-roapi-"))
    server = RoapiServer(folder, free_port())
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
