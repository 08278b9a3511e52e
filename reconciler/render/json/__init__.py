"""What commands print with `--json`: one document each, as schemas/*.schema.json describe."""
