"""Delta tables as sources: their log states which Parquet files have the rows of the latest version."""

LOG_FOLDER = "_delta_log"
