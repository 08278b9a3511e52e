"""Simulates a process killed at an instruction, for convergence tests."""


class Crash(BaseException):
    """Not an Exception: no handler may catch it, as none can catch a kill."""
