"""The audit log of an environment: which run did what, in entries that each name the one before."""
