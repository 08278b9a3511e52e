"""Read and check the audit log of an environment, with the state that its last entry left."""

from reconciler.core.audit.check import CheckedLog, check_log
from reconciler.core.audit.model import AuditHead
from reconciler.core.ports import StateStore

MOST_READS = 5


def read_audit_log(store: StateStore, witness: AuditHead) -> CheckedLog:
    """Return the checked log. It is read between two equal heads of the state, as a run may be writing."""
    reader = store.reader()
    before = reader.head()
    for _ in range(MOST_READS):
        entries, after = store.audit().entries(), reader.head()
        if after == before:
            break
        before = after
    return check_log(entries, before, witness)
