"""YAML → documents that remember file, line and column → `Desired`."""

from reconciler.manifests.across import shared_states
from reconciler.manifests.loading import load, load_anywhere, load_without_sources
from reconciler.manifests.project import environments, find_root

__all__ = ["environments", "find_root", "load", "load_anywhere", "load_without_sources", "shared_states"]
