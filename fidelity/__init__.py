"""Experiments that settle at a real account what Criteo leaves unsaid; `docs/fidelity.md` explains them."""
