"""Shared access to the local disk: crash-safe files, private folders, locks."""
