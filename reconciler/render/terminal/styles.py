"""The colours of changes on a terminal."""

from reconciler.render.document.row import RowKind

STYLES = {
    RowKind.CREATE: "green",
    RowKind.ADOPT: "green",
    RowKind.UPDATE: "yellow",
    RowKind.MOVE: "cyan",
    RowKind.REPLACE: "magenta",
    RowKind.REFILL: "magenta",
    RowKind.FORGET: "cyan",
    RowKind.EMPTY: "magenta",
    RowKind.DELETE: "red",
    RowKind.DRIFT: "yellow",
    RowKind.BLOCKED: "bold red",
    RowKind.STATE_ONLY: "dim",
    RowKind.PAUSED: "dim",
}
ADDED, REMOVED = "green", "red"
