"""Which engine computes sets of members."""

LOCAL = "local"
"""Instead of the URL of a Spark Connect server: Spark on this machine."""
