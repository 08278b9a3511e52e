"""Between a command and the edges: observe, detect drift, run checks, rebuild and restore. Never prints."""
