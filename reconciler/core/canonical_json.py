"""The digest of a JSON document, whatever the order of its keys and its spaces. No I/O."""

import hashlib
import json
from collections.abc import Mapping


def canonical_digest(content: Mapping[str, object]) -> str:
    """Return `sha256:` and 64 hexadecimal digits, of the JSON with sorted keys and no spaces."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
