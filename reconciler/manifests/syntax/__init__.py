"""From bytes to checked YAML documents with positions. Knows no audience."""
