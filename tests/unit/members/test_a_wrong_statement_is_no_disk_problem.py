"""An error of a statement is a bug to report, and not a disk that its reader would have to check."""

import duckdb
import pytest

from reconciler.core.errors import StorageError
from reconciler.members.database import storage_errors


@pytest.mark.parametrize("statement", ["SELEC", "SELECT * FROM nothing", "SELECT nothing", "COMMIT"])
def test_an_error_of_a_statement_passes(statement: str) -> None:
    with pytest.raises(duckdb.Error), storage_errors("testing"):
        duckdb.connect().execute(statement)


def test_a_file_that_cannot_be_read_is_a_disk_problem() -> None:
    message = "testing: the disk or a snapshot can't be read"
    with pytest.raises(StorageError, match=message), storage_errors("testing"):
        duckdb.connect().execute("SELECT * FROM read_parquet('/nothing/here.parquet')")
