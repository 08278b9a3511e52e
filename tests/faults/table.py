"""All rows, in the order of docs/reference/errors.md."""

from faults import manifests, remotes, sources, states

GROUPS = (
    manifests.YAML,
    sources.SOURCES,
    states.STATES,
    states.CLOCKS,
    states.CREDENTIALS,
    remotes.READS,
    remotes.WRITES,
    remotes.NETWORK,
)
