"""Simulates a process killed at an instruction, for convergence tests."""


class Crash(BaseException):
    """Not an Exception on purpose: nothing may catch it on the way out, as nothing can catch a kill."""
