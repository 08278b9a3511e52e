"""A repository to begin with: its files as templates, and the example data."""

from reconciler.scaffold.files import CiProvider, repository

__all__ = ["CiProvider", "repository"]
