"""Sources that are queries of databases: guarded, described, and brought as columns of Arrow."""
