"""The one text of a JSON document, whatever the order of its keys, and its digest. No I/O."""

import hashlib
import json
from collections.abc import Mapping


def canonical_text(content: Mapping[str, object]) -> bytes:
    """Return the JSON with sorted keys and no spaces, in ASCII."""
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def canonical_digest(content: Mapping[str, object]) -> str:
    """Return `sha256:` and 64 hexadecimal digits, of the canonical text."""
    return f"sha256:{hashlib.sha256(canonical_text(content)).hexdigest()}"
