"""Phone numbers are searched as sources and lists of every kind write them."""

from reconciler.core.model import Audience, Exclusion, IdentifierType, ListKind, Source
from reconciler.operations.find_people import countries_of

PHONE = ((IdentifierType.PHONE_NUMBER, "phone"),)


def test_countries_of_sources_and_of_both_kinds_of_lists_count() -> None:
    excluded = Exclusion(("out.csv",), PHONE, country="FR")
    suppressed = Exclusion(("gone.csv",), PHONE, country="IT", kind=ListKind.SUPPRESSION, name="gone")
    audience = Audience(
        "buyers", "", "", Source(()), PHONE, (excluded,), country="DE", suppression_lists=(suppressed,)
    )
    assert countries_of([audience]) == {"DE", "FR", "IT"}
