"""Experiments on a real account, for undocumented behavior of Criteo (docs/explanation/fidelity.md)."""
