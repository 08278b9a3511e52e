"""All cases, in the order of docs/reference/errors.md."""

from faults import api_faults, manifest_faults, query_faults, source_faults, state_faults

GROUPS = (
    manifest_faults.YAML,
    source_faults.SOURCES,
    query_faults.QUERIES,
    state_faults.STATES,
    state_faults.CLOCKS,
    state_faults.CREDENTIALS,
    api_faults.READS,
    api_faults.WRITES,
    api_faults.NETWORK,
)
