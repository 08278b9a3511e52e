"""The values of an OAuth consent and of its URLs. No I/O."""
