"""Promotion between environments: what was promoted, what proves it, and what differs. No I/O."""
