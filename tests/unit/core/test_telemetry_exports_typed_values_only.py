"""What spans and metrics may contain is decided by the types of values, in one function."""

from datetime import timedelta
from enum import StrEnum

import pytest

from reconciler.core.events import ActivityStarted
from reconciler.core.model import Address
from reconciler.core.telemetry import (
    SILENT,
    Attribute,
    CommandName,
    EnvironmentName,
    ErrorName,
    SpanName,
    TraceId,
    exported,
)

pytestmark = pytest.mark.promise("private")


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("attribute", "value", "expected"),
    [
        (Attribute.ADDRESS, Address("email", "buyers"), "email/buyers"),
        (Attribute.COMMAND, CommandName("state lock list"), "state lock list"),
        (Attribute.ENVIRONMENT, EnvironmentName("production"), "production"),
        (Attribute.ERROR, ErrorName.of(ValueError("person@example.com")), "ValueError"),
        (Attribute.STATUS, 429, 429),
        (Attribute.TRACE_ID, TraceId("4f2b-7"), "4f2b-7"),
        (Attribute.OUTCOME, Colour.RED, "red"),
    ],
)
def test_numbers_enums_addresses_and_names_are_exported(attribute, value, expected) -> None:
    assert exported({attribute: value}) == {attribute.key: expected}


@pytest.mark.parametrize("attribute", Attribute)
@pytest.mark.parametrize("value", ["person@example.com", b"person@example.com", "red", 1.5, None, ["red"]])
def test_no_attribute_takes_free_text(attribute: Attribute, value: object) -> None:
    assert exported({attribute: value}) == {}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (Attribute.ADDRESS, Address("email", "person@example.com")),
        (Attribute.COMMAND, CommandName("plan person@example.com")),
        (Attribute.ENVIRONMENT, EnvironmentName("person@example.com")),
        (Attribute.ERROR, ErrorName("person@example.com")),
        (Attribute.TRACE_ID, TraceId("person@example.com")),
        (Attribute.TRACE_ID, ErrorName("ValueError")),
        (Attribute.SERVER, Colour.RED),
    ],
)
def test_a_name_of_another_form_or_type_is_left_out(attribute: Attribute, value: object) -> None:
    assert exported({attribute: value}) == {}  # type: ignore[dict-item]


def test_keys_are_unique() -> None:
    assert len({one.key for one in Attribute}) == len(Attribute)


def test_silence_takes_everything_and_exports_nothing() -> None:
    with SILENT.span(SpanName.CHANGE):
        SILENT.note(Attribute.STATUS, 1)
    SILENT.record(SpanName.CALL, timedelta(seconds=1))
    SILENT.emit(ActivityStarted(""))
    SILENT.end(0)
