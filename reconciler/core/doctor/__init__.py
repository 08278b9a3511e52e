"""The checks of `doctor`, their order and their results. No I/O."""
