"""A portable part changes if what it names changes, and with nothing that belongs to one environment."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.core.model import (
    Access,
    Address,
    Audience,
    Exclusion,
    Guards,
    Hashing,
    IdentifierType,
    PersonalData,
    SegmentKey,
    SegmentSpec,
    Source,
    SourceLocation,
)
from reconciler.core.portable_definition import portable_digest, portable_parts
from reconciler.core.promotion.gate import PortablePart

EMAIL, PHONE = IdentifierType.EMAIL, IdentifierType.PHONE_NUMBER
LIST = Exclusion(("out.csv",), ((EMAIL, "email"),))
SPEC = SegmentSpec(
    address=Address("email", "lapsed"),
    name="[sandbox] Lapsed (email)",
    description="No order",
    key=SegmentKey("1", "2", EMAIL, Hashing.SHA256),
    credential="criteo",
    audience=Audience(
        "lapsed", "Lapsed", "No order", Source(("a.csv",), "x > 1"), ((EMAIL, "email"),), (LIST,)
    ),
    title="Lapsed (email)",
)


def audience(**changed: object) -> Callable[[SegmentSpec], SegmentSpec]:
    return lambda spec: replace(spec, audience=replace(spec.audience, **changed))  # type: ignore[arg-type]


def source(**changed: object) -> Callable[[SegmentSpec], SegmentSpec]:
    return lambda spec: audience(source=replace(spec.audience.source, **changed))(spec)  # type: ignore[arg-type]


def key(**changed: object) -> Callable[[SegmentSpec], SegmentSpec]:
    return lambda spec: replace(spec, key=replace(spec.key, **changed))  # type: ignore[arg-type]


def lists(**changed: object) -> Callable[[SegmentSpec], SegmentSpec]:
    return audience(exclusion_lists=(replace(LIST, **changed),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("part", "change"),
    [
        (PortablePart.TITLE, lambda spec: replace(spec, title="Lapsed (mail)")),
        (PortablePart.DESCRIPTION, lambda spec: replace(spec, description="No order in 90 days")),
        (PortablePart.SOURCE, source(files=("b.csv",))),
        (PortablePart.SOURCE, source(where="x > 2")),
        (PortablePart.SOURCE, source(max_age=timedelta(hours=36))),
        (PortablePart.SOURCE, source(pinned=True)),
        (PortablePart.COLUMNS, audience(columns=((EMAIL, "mail"),))),
        (PortablePart.COLUMNS, audience(country="FR")),
        (PortablePart.EXCLUSIONS, audience(exclusion_lists=())),
        (PortablePart.EXCLUSIONS, lists(files=("all.csv",))),
        (PortablePart.EXCLUSIONS, lists(columns=((PHONE, "phone"),))),
        (PortablePart.EXCLUSIONS, lists(country="FR")),
        (PortablePart.TYPE, key(identifier_type=IdentifierType.CUSTOMER_ID)),
        (PortablePart.HASHING, key(hashing=Hashing.MD5)),
        (PortablePart.ACCESS, lambda spec: replace(spec, access=Access(admin_only=True))),
        (PortablePart.ACCESS, lambda spec: replace(spec, access=Access(pii=PersonalData.RAW))),
    ],
)
def test_a_change_changes_its_part_and_no_other(
    part: PortablePart, change: Callable[[SegmentSpec], SegmentSpec]
) -> None:
    before, after = portable_parts(SPEC), portable_parts(change(SPEC))
    assert [one for one in PortablePart if before[one] != after[one]] == [part]
    assert portable_digest(before) != portable_digest(after)


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: replace(spec, name="Lapsed (email)"),
        lambda spec: replace(spec, credential="other", endpoint=("https://api.criteo.com", "")),
        lambda spec: replace(spec, place=SourceLocation("a.yaml", 1, 1)),
        key(account_id="3", retailer_id="4"),
        source(root="s3://acme/exports"),
        source(sample_rows=1000),
        source(place=SourceLocation("a.yaml", 1, 1)),
        audience(guards=Guards(max_shrink=0.5)),
        lists(max_shrink=0.5),
    ],
)
def test_what_belongs_to_one_environment_changes_no_part(
    change: Callable[[SegmentSpec], SegmentSpec],
) -> None:
    assert portable_parts(change(SPEC)) == portable_parts(SPEC)
