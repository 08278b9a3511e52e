"""Decides what a plan changes, adds, removes and blocks. No I/O."""
