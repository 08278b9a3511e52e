"""Every call the emulator answers, one row each; a path outside this table does not exist."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from reconciler.emulator import accounts as directory
from reconciler.emulator import bulk, contactlists, searches
from reconciler.emulator.database import Session
from reconciler.emulator.faults import KINDS, Kind
from reconciler.emulator.request import ParsedRequest
from reconciler.emulator.responses import Answer

READ = "RetailMedia_Audience_Read"
MANAGE = "RetailMedia_Audience_Manage"
ADD_REMOVE = "AddRemoveContactListByAudienceSegment"
CURRENT = frozenset({"2026-01", "2026-07", "2027-01"})
FROZEN = CURRENT | {"2025-10"}  # out of support, but the contract never changed: it falls forward


Effect = Literal["reads", "writes", "writes in parts"]


@dataclass(frozen=True)
class Operation:
    """One operation of the API. An empty `scope` accepts any token. `effect` states which faults apply."""

    id: str
    method: str
    path: str
    scope: str
    effect: Effect
    handler: Callable[[Session, ParsedRequest], Answer]
    versions: frozenset[str] = FROZEN

    def faults(self) -> frozenset[Kind]:
        """A read commits nothing late, and only a list can be taken in part."""
        if self.effect == "reads":
            return frozenset(KINDS) - {"late-commit", "partial"}
        if self.effect == "writes":
            return frozenset(KINDS) - {"partial"}
        return frozenset(KINDS)


_ACCOUNT = "/accounts/<account_id>"
_SEGMENTS = _ACCOUNT + "/audience-segments"
_LIST = "/audience-segments/<segment_id>/contact-list"

OPERATIONS = (
    Operation(
        id="searchAudienceSegments",
        method="POST",
        path=_SEGMENTS + "/search",
        scope=READ,
        effect="reads",
        handler=searches.search_segments,
    ),
    Operation(
        id="bulkCreateAudienceSegments",
        method="POST",
        path=_SEGMENTS + "/create",
        scope=MANAGE,
        effect="writes in parts",
        handler=bulk.create,
    ),
    Operation(
        id="bulkUpdateAudienceSegments",
        method="PATCH",
        path=_SEGMENTS,
        scope=MANAGE,
        effect="writes in parts",
        handler=bulk.update,
    ),
    Operation(
        id="bulkDeleteAudienceSegments",
        method="POST",
        path=_SEGMENTS + "/delete",
        scope=MANAGE,
        effect="writes in parts",
        handler=bulk.delete,
    ),
    Operation(
        id="getAudienceSegmentContactListStatistics",
        method="GET",
        path=_SEGMENTS + "/<segment_id>/contact-list",
        scope=READ,
        effect="reads",
        handler=contactlists.read_statistics,
    ),
    Operation(
        id=ADD_REMOVE,
        method="POST",
        path=_LIST + "/add-remove",
        scope=MANAGE,
        effect="writes in parts",
        handler=contactlists.add_remove,
    ),
    Operation(
        id="ClearContactListByAudienceSegment",
        method="POST",
        path=_LIST + "/clear",
        scope=MANAGE,
        effect="writes",
        handler=contactlists.clear,
    ),
    Operation(
        id="searchAudiences",
        method="POST",
        path=_ACCOUNT + "/audiences/search",
        scope=READ,
        effect="reads",
        handler=searches.search_audiences,
    ),
    Operation(
        id="GetCurrentApplication",
        method="GET",
        path="/me",
        scope="",
        effect="reads",
        handler=directory.me,
    ),
    Operation(
        id="GetAccounts",
        method="GET",
        path="/accounts",
        scope="RetailMedia_Accounts_Read",
        effect="reads",
        handler=directory.accounts,
    ),
    Operation(
        id="SearchAccountRetailers",
        method="POST",
        path=_ACCOUNT + "/retailers/search",
        scope="RetailMedia_Campaign_Read",
        effect="reads",
        handler=directory.retailers,
        versions=CURRENT,
    ),
)
BY_ID = {operation.id: operation for operation in OPERATIONS}
