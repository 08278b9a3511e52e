"""A process killed at this very instruction, for tests of convergence."""


class Crash(BaseException):
    """Not an Exception on purpose: nothing may catch it on the way out, as nothing can catch a kill."""
