"""The process that reads rows of MySQL: what to read comes in as JSON, and batches of Arrow go out.

The library prints the server's texts when it fails, so nobody reads what this process prints as errors. That
all rows arrived is said by its exit code.
"""

import json
import sys
import warnings

BATCH = 10_000
"""Rows of a batch."""


def main() -> None:
    asked = json.load(sys.stdin)
    warnings.simplefilter("ignore")
    import connectorx
    import pyarrow

    reader = connectorx.read_sql(
        asked["address"],
        asked["sql"],
        return_type="arrow_stream",
        protocol="binary",
        pre_execution_query=asked["settings"],
        batch_size=BATCH,
    )
    with pyarrow.ipc.new_stream(sys.stdout.buffer, reader.schema) as out:
        for batch in reader:
            out.write_batch(batch)


if __name__ == "__main__":
    main()
