"""Values and decisions; never I/O, a clock, logging or randomness."""
