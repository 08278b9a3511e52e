"""A MariaDB server for the tests of queries, where one is installed."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.databases import CERTIFICATES, PASSWORD, READER, Row, SqlServer, free_port, values

from reconciler.core.database import Driver

INSTALLED = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SERVER = ("--no-defaults", "--bind-address=127.0.0.1", "--skip-log-bin", "--innodb-buffer-pool-size=16M")


@dataclass(frozen=True)
class MariaDbServer(SqlServer):
    """A server on this machine. `folder` holds its data, its socket and nothing else."""

    folder: Path
    port: int
    driver: Driver = Driver.MYSQL
    home: str = "crm"

    def admin(self, sql: str, database: str = "crm") -> str:
        login = ["-u", "root", "-S", str(self.folder / "socket"), "--skip-ssl"]
        words = ["mariadb", "--no-defaults", *login, "-N", "-B", database]
        done = subprocess.run(words, input=sql, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, rows: Sequence[Row]) -> None:
        self.admin(
            "DROP TABLE IF EXISTS customers;"
            "CREATE TABLE customers (email varchar(200), id bigint, last_order date);"
            f"INSERT INTO customers VALUES {values(rows)}; CREATE TABLE IF NOT EXISTS others (id bigint);"
            f"REVOKE ALL, GRANT OPTION FROM {READER}; GRANT SELECT, EXECUTE ON crm.* TO {READER}"
        )

    def revoke(self) -> None:
        self.admin(f"REVOKE ALL, GRANT OPTION FROM {READER}; GRANT SELECT ON crm.others TO {READER}")

    def serves(self, certificate: str) -> None:
        shutil.copy(CERTIFICATES / certificate, self.folder / "certificate.pem")
        self.admin("FLUSH SSL")

    def disconnect(self) -> None:
        mine = f"SELECT id FROM information_schema.processlist WHERE user = '{READER}'"
        for one in self.admin(mine).split():
            self.admin(f"KILL {one}")


@contextmanager
def mariadb() -> Iterator[MariaDbServer]:
    """Start a server of Debian's package, as its own user."""
    folder = Path(tempfile.mkdtemp(prefix="reconciler-mariadb-"))
    data, port = folder / "data", free_port()
    for name, file in (("certificate.pem", "good.pem"), ("key.pem", "key.pem")):
        shutil.copy(CERTIFICATES / file, folder / name)
    as_user = ["--user=mysql"] if os.getuid() == 0 else []
    if as_user:
        for one in (folder, *folder.iterdir()):
            shutil.chown(one, "mysql", "mysql")
    install = ["mariadb-install-db", "--no-defaults", *as_user, f"--datadir={data}", "--skip-test-db"]
    subprocess.run([*install, "--auth-root-authentication-method=normal"], check=True, capture_output=True)
    words = [
        str(INSTALLED),
        *SERVER,
        *as_user,
        f"--datadir={data}",
        f"--port={port}",
        f"--socket={folder / 'socket'}",
        f"--pid-file={folder / 'pid'}",
        f"--ssl-cert={folder / 'certificate.pem'}",
        f"--ssl-key={folder / 'key.pem'}",
        "--innodb-flush-log-at-trx-commit=0",
    ]
    with (folder / "log").open("w") as log, subprocess.Popen(words, stdout=log, stderr=log) as server:
        try:
            while not (folder / "socket").exists():
                assert server.poll() is None, (folder / "log").read_text()
                time.sleep(0.02)
            made = MariaDbServer(folder, port)
            user = f"CREATE USER {READER} IDENTIFIED BY '{PASSWORD}'"
            made.admin(f"CREATE DATABASE crm CHARACTER SET utf8mb4; {user}", "mysql")
            yield made
        finally:
            server.kill()
    shutil.rmtree(folder)
