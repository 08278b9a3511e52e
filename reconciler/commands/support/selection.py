"""Which addresses `--only` selects: addresses, audience names, and globs of both."""

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.model import Address
from reconciler.core.pii import redacted_path

_WORD = "(?:[a-z]{1,15}[0-9]{0,2}|[0-9]{1,3}[a-z]{0,2})"
_NAME = rf"{_WORD}(?:-{_WORD}){{0,7}}"
_REPEATABLE = re.compile(rf"{_NAME}(?:/{_NAME})?")
"""Words with few digits: names look like this, secrets and IDs do not."""
WILD = frozenset("*?[")
MOST = 10
"""Addresses that are listed."""


def selected(only: tuple[str, ...], known: frozenset[Address]) -> frozenset[Address]:
    """The addresses that `--only` selects; all without it. Whatever selects nothing is refused."""
    if not only:
        return known
    found = {text: matching(text, known) for text in only}
    unknown = [text for text, addresses in found.items() if not addresses]
    if unknown:
        raise _not_here(unknown, known)
    return frozenset().union(*found.values())


def matching(text: str, known: Iterable[Address]) -> frozenset[Address]:
    """Return the addresses that match. A text with `/` is compared with addresses, others with audiences."""
    return frozenset(one for one in known if fnmatchcase(str(one) if "/" in text else one.audience, text))


def single(text: str, known: Iterable[Address]) -> str:
    """Return the one address that a text selects, or the text if it selects none.

    ConfigurationError if it selects several.
    """
    found = sorted(map(str, matching(text, known)))
    if len(found) > 1:
        raise ConfigurationError(
            f"{len(found)} addresses match, and one is needed",
            remedy=f"write one of {', '.join(found[:MOST])}{_more(found)}",
        )
    return found[0] if found else text


def _not_here(unknown: Sequence[str], known: frozenset[Address]) -> ConfigurationError:
    listed, findings = sorted(map(str, known)), [_unlike(text, known) for text in unknown]
    here = f"addresses here: {', '.join(listed[:MOST])}" if known else "there are no addresses here"
    here += _more(listed)
    if len(findings) > 1:
        return ConfigurationError(
            f"{len(findings)} selections match no address", remedy=here, findings=findings
        )
    first = findings[0].remedy
    return ConfigurationError(findings[0].problem, remedy=f"{first} {here}" if first else here)


def _more(listed: Sequence[str]) -> str:
    return f" and {len(listed) - MOST} more" if len(listed) > MOST else ""


def _unlike(text: str, known: frozenset[Address]) -> Finding:
    """Return a finding about a text that selects nothing. It quotes only a possible name (`REPEATABLE`)."""
    what = "audience" if "/" not in text else "address"
    if text in {one.destination for one in known}:
        return Finding("", f"{text} is a destination, not an audience", f"did you mean `{text}/*`?")
    if WILD.intersection(text):
        problem = f"no {what} matches {text}" if _may_be_repeated(text) else "a glob matches nothing"
    else:
        problem = f"there is no {what} {text}" if _may_be_repeated(text) else f"an {what} given is not here"
    near = list(dict.fromkeys(_near(text, known)))
    return Finding("", problem, f"did you mean {' or '.join(near[:3])}?" if near else "")


def _may_be_repeated(text: str) -> bool:
    plain = text.replace("*", "x").replace("?", "x")
    return bool(_REPEATABLE.fullmatch(plain)) and redacted_path(text) == text


def _near(text: str, known: frozenset[Address]) -> Iterator[str]:
    """What selects something and is written almost alike: the whole, or a glob with one part corrected."""
    from reconciler.manifests.suggestions import nearest

    destinations, audiences = {one.destination for one in known}, {one.audience for one in known}
    destination, slash, audience = text.partition("/")
    if not slash:
        yield from filter(None, [nearest(text, sorted(audiences))])
        yield from (f"`{one}/*`" for one in filter(None, [nearest(text, sorted(destinations))]))
    elif not WILD.intersection(text):
        yield from filter(None, [nearest(text, sorted(map(str, known)))])
    else:
        corrected = (
            f"{nearest(destination, sorted(destinations))}/{audience}",
            f"{destination}/{nearest(audience, sorted(audiences))}",
        )
        yield from (f"`{one}`" for one in corrected if matching(one, known))
