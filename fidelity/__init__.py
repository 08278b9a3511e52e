"""Experiments that ask a real account what Criteo does not document (docs/explanation/fidelity.md)."""
