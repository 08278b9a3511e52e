"""Bring the rows of a query, and print their number and the most memory that a process of it needed, in MB.

python query_memory.py FOLDER DRIVER PORT SQL; a server's login is in `user` and `password`, `key` or `token`.
"""

import os
import resource
import sys
from datetime import date
from pathlib import Path

from reconciler.core.database import DatabaseConnection, Driver, Login, Server, TlsMode
from reconciler.core.model import Query
from reconciler.core.secret import Secret
from reconciler.members.database import connect
from reconciler.members.queries.databases import Databases
from reconciler.members.queries.tables import AskedQueries, run

if __name__ == "__main__":
    folder, driver, port, sql = Path(sys.argv[1]), Driver(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    home = {Driver.POSTGRESQL: "postgres", Driver.DATABRICKS: ""}.get(driver, "crm")
    server = Server("127.0.0.1", port, home, TlsMode.DISABLE) if port else None
    bearer = Login(token="token", warehouse="0123456789abcdef")
    logins = {Driver.BIGQUERY: Login(key="key"), Driver.DATABRICKS: bearer}
    login = logins.get(driver, Login("user", "password"))
    connection = DatabaseConnection(
        "crm", driver, f"crm.{driver.value}", server, login, project="example-project"
    )
    databases = Databases({"crm": connection.writing}, lambda name: Secret(os.environ[name]))
    engine = connect((folder,), folder, "128MB", 1)
    queries = AskedQueries(databases, folder, folder / "queries", lambda: None, run)
    table = queries.table(engine, Query("crm", sql), ("email", "id"), date(2026, 11, 30))
    row = engine.execute(f"SELECT count(*) FROM {table.relation(['email'])}").fetchone()
    status = Path("/proc/self/status").read_text()
    own = int(status.partition("VmHWM:")[2].split()[0])  # `ru_maxrss` has the peak of the parent as well
    used = max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    sys.stdout.write(f"{row[0] if row else 0} {used // 1024}\n")
