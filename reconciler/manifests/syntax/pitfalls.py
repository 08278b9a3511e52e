"""Values that are valid YAML but probably not intended, or that do not belong in a manifest."""

import re
from collections.abc import Iterator

from reconciler.core.pii import pii_kind
from reconciler.manifests.schema import TYPED
from reconciler.manifests.syntax.invisible import invisible_characters
from reconciler.manifests.syntax.nodes import Issue, IssueRank, ManifestDocument, Node, walk

FREE_TEXT = frozenset({"title", "description", "where", "namePrefix", "nameSuffix"})
_STRICT = frozenset(
    {
        "clientId",
        "clientSecret",
        "refreshToken",
        "endpoint",
        "tokenUrl",
        "consentUrl",
        "redirectUri",
        "sealingKey",
        "snapshotKey",
        "earlierSnapshotKeys",
    }
)
_COMMENT = re.compile(r"[ \t]+#")
_RETYPED = re.compile(
    r"(?P<boolean>(?:y|n|yes|no|on|off|true|false))"
    r"|(?P<null>~|null)"
    r"|(?P<date>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:t|[ \t]+)[0-9]{1,2}:.*)?)"
    r"|(?P<zeros>[-+]?0[0-9_]+)"
    r"|(?P<long>[-+]?[1-9][0-9_]{15,})"
    r"|(?P<time>[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?)"
    r"|(?P<number>[-+]?(?:0x[0-9a-f_]+|0o[0-7]+|0b[01_]+|\.inf|\.nan|[0-9][0-9_]*"
    r"|(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*(?=e))(?:e[-+]?[0-9]+)?))"
    r"|(?P<special>=|<<)",
    re.IGNORECASE,
)
_READ_AS = {
    "boolean": "a boolean",
    "null": "no value",
    "date": "a date",
    "zeros": "a number without its leading zeros",
    "long": "a number, and round it",
    "time": "a time, or a number of seconds",
    "number": "a number",
    "special": "an instruction",
}


def inspect(document: ManifestDocument) -> Iterator[Issue]:
    """Personal data, invisible characters, values that other readers re-type, text lost to a comment."""
    for name, node in walk(document.root):
        if not isinstance(node.value, str):
            continue
        if data := pii_kind(node.value):
            yield _personal(document, name, node, data)
        yield from invisible_characters(document, name, node)
        if not node.plain:
            continue
        if name not in TYPED and (found := _RETYPED.fullmatch(node.value)):
            yield Issue(
                document.at(node),
                IssueRank.TRAP,
                f"other YAML readers (editors, CI linters) read this as {_READ_AS[str(found.lastgroup)]}",
                "put quotes around it: it is text here",
            )
        if name in FREE_TEXT and _COMMENT.match(document.text, node.end):
            yield Issue(
                document.at(node),
                IssueRank.TRAP,
                f"` #` after the plain `{name}` begins a comment: what follows is not part of it",
                f"put quotes around the {name}, with the # inside if it belongs to it",
            )


def _personal(document: ManifestDocument, name: str, node: Node, data: str) -> Issue:
    """Return the issue of personal data. For secrets and addresses, the finding of the schema comes first."""
    rank = IssueRank.TRAP if name in _STRICT else IssueRank.STRUCTURE
    return Issue(
        document.at(node),
        rank,
        f"this looks like {data}: personal data does not belong in manifests",
        "keep it in a source file, and name the file and column here",
    )
