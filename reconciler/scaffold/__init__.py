"""A repository to begin with: its files as templates, and the example data."""

from reconciler.scaffold.templates import CiProvider, Sandbox, repository

__all__ = ["CiProvider", "Sandbox", "repository"]
