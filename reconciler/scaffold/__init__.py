"""A repository to begin with: its files as templates, and the example data."""

from reconciler.scaffold.files import Automation, repository

__all__ = ["Automation", "repository"]
