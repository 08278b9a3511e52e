"""What goes wrong in BigQuery: reasons of its REST API, statuses of gRPC, and codes of our own process.

A reason that is not known here is not passed on: it is a text of the server.
"""

from collections.abc import Mapping

from reconciler.members.queries.problems import QueryProblem

NO_CREDENTIALS, REFUSED, UNREACHABLE, LATE = "no credentials", "refused", "unreachable", "late"

OWN: Mapping[str, QueryProblem] = {
    NO_CREDENTIALS: QueryProblem.NO_CREDENTIALS,
    REFUSED: QueryProblem.CREDENTIALS,
    UNREACHABLE: QueryProblem.LOST,
    LATE: QueryProblem.TIME,
}
"""What a status of the process itself means."""
PROBLEMS: Mapping[str, QueryProblem] = {
    # reasons of errors of requests and jobs
    "accessDenied": QueryProblem.FORBIDDEN,
    "authError": QueryProblem.CREDENTIALS,
    "backendError": QueryProblem.LOST,
    "badGateway": QueryProblem.LOST,
    "billingNotEnabled": QueryProblem.QUOTA,
    "billingTierLimitExceeded": QueryProblem.RESOURCES,
    "blocked": QueryProblem.QUOTA,
    "bytesBilledLimitExceeded": QueryProblem.COST,
    "internalError": QueryProblem.LOST,
    "invalid": QueryProblem.INVALID,
    "invalidQuery": QueryProblem.INVALID,
    "invalidUser": QueryProblem.CREDENTIALS,
    "jobBackendError": QueryProblem.LOST,
    "jobInternalError": QueryProblem.LOST,
    "jobRateLimitExceeded": QueryProblem.QUOTA,
    "notFound": QueryProblem.UNKNOWN_NAME,
    "notImplemented": QueryProblem.INVALID,
    "quotaExceeded": QueryProblem.QUOTA,
    "rateLimitExceeded": QueryProblem.QUOTA,
    "resourceInUse": QueryProblem.BUSY,
    "resourcesExceeded": QueryProblem.RESOURCES,
    "responseTooLarge": QueryProblem.RESULT,
    "stopped": QueryProblem.LOST,
    "tableUnavailable": QueryProblem.BUSY,
    "timeout": QueryProblem.TIME,
    # statuses of HTTP without a reason
    "401": QueryProblem.CREDENTIALS,
    **dict.fromkeys(("500", "502", "503", "504"), QueryProblem.LOST),
    # statuses of the API that reads results
    "ABORTED": QueryProblem.LOST,
    "CANCELLED": QueryProblem.LOST,
    "DEADLINE_EXCEEDED": QueryProblem.TIME,
    "INTERNAL": QueryProblem.LOST,
    "NOT_FOUND": QueryProblem.LOST,
    "PERMISSION_DENIED": QueryProblem.NO_READ_SESSIONS,
    "RESOURCE_EXHAUSTED": QueryProblem.QUOTA,
    "UNAUTHENTICATED": QueryProblem.CREDENTIALS,
    "UNAVAILABLE": QueryProblem.LOST,
}
