"""Plan and apply first-party audiences on Criteo Retail Media."""

__version__ = "0.1.0"
