"""YAML → documents that remember file, line and column → `DesiredState`."""

from reconciler.manifests.checks.shared_state import shared_states
from reconciler.manifests.load import load, load_offline, load_without_sources
from reconciler.manifests.project import environments, find_root

__all__ = ["environments", "find_root", "load", "load_offline", "load_without_sources", "shared_states"]
