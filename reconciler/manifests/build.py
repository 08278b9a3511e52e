"""Sound documents → `DesiredState`; nothing here can fail, because everything was checked before."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from reconciler.core.adoption import Adoption, Baseline
from reconciler.core.credential import Application, Credential
from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import Finding
from reconciler.core.lifecycle import MembersEnd, MovedAudience, RemovedAudience, SegmentEnd
from reconciler.core.model import (
    DEFAULT_RETENTION,
    LIST_SHRINK,
    SEALING_KEY,
    Access,
    Address,
    Api,
    ApprovalLimits,
    Audience,
    Confirmation,
    Environment,
    Exclusion,
    Guards,
    Hashing,
    IdentifierType,
    ListKind,
    Partition,
    PartitionType,
    PersonalData,
    RepairMode,
    Retention,
    Seat,
    SegmentKey,
    SegmentSpec,
    Source,
    SourceLocation,
)
from reconciler.core.override import Override
from reconciler.core.promotion.gate import OwnParts, PortablePart, PromotionGate
from reconciler.core.receivers import NotificationForm, NotificationKind, Receiver
from reconciler.manifests.checks.segment_names import segment_name, suffixed_title
from reconciler.manifests.connections import connection
from reconciler.manifests.countries import PHONE, countries
from reconciler.manifests.durations import duration
from reconciler.manifests.index import LIMITS, ManifestIndex, guards, share
from reconciler.manifests.queries import query, rows_key
from reconciler.manifests.syntax.nodes import ManifestDocument, PathStep

ALL_PARTS = "all"


def build(
    inventory: ManifestIndex, data_root: str | None, notes: tuple[str, ...], placeholders: tuple[Finding, ...]
) -> DesiredState:
    """Puts the environment together; segments are sorted by address."""
    home = inventory.named["Environment"][inventory.environment]
    environment = _environment(home, data_root, _suppression(home))
    exempt = {Address.parse(text) for text in home.value("suppress", "exempt") or ()}
    audiences = [
        (document, _audience(document, environment, home.value("data", "root") or "", inventory))
        for document in inventory.named["Audience"].values()
    ]
    destinations = inventory.named["Destination"]
    segments = [
        replace(
            _segment(environment, destinations[name], audience, place),
            name=segment_name(home, document, destinations[name]),
            title=suffixed_title(document, destinations[name]),
            exempt=Address(name, audience.name) in exempt,
        )
        for document, audience in audiences
        for index, name in enumerate(document.root.value["destinations"])
        for place in (document.place("destinations", index),)
    ]
    return DesiredState(
        environment=environment,
        credentials=tuple(_credential(one) for _, one in sorted(inventory.named["Credential"].items())),
        connections=tuple(connection(one) for _, one in sorted(inventory.named["Connection"].items())),
        segments=tuple(sorted(segments, key=lambda spec: spec.address)),
        notes=notes,
        placeholders=placeholders,
        removed=tuple(map(_removed, inventory.declared["Removed"])),
        moved=tuple(map(_moved, inventory.declared["Moved"])),
        adoptions=tuple(map(_adoption, inventory.declared["Adopt"])),
        overrides=tuple(map(_override, inventory.declared["Override"])),
    )


def _adoption(document: ManifestDocument) -> Adoption:
    value = document.root.value
    return Adoption(
        address=Address.parse(value["address"]),
        segment_id=value["segmentId"],
        baseline=Baseline(value["baseline"]),
        place=document.place("address"),
        file=value.get("file", ""),
    )


def _override(document: ManifestDocument) -> Override:
    value = document.root.value
    declared = value["guards"]
    found = guards(declared, Guards())
    return Override(
        selector=value["address"],
        limits=tuple((LIMITS[key], getattr(found, LIMITS[key])) for key in sorted(declared)),
        written=", ".join(f"{key} {declared[key]}" for key in sorted(declared)),
        reason=value["reason"],
        expires=date.fromisoformat(value["expires"]),
        place=document.place("expires"),
    )


def _removed(document: ManifestDocument) -> RemovedAudience:
    value = document.root.value
    members, segment = MembersEnd(value["members"]), SegmentEnd(value["segment"])
    return RemovedAudience(value["address"], members, segment, document.place("address"))


def _moved(document: ManifestDocument) -> MovedAudience:
    value = document.root.value
    return MovedAudience(value["from"], value["to"], document.place("from"))


def _environment(
    home: ManifestDocument, data_root: str | None, suppression_lists: tuple[Exclusion, ...]
) -> Environment:
    value = home.root.value
    seats = value["seats"].items()
    sample = value.get("sample")
    return Environment(
        name=value["name"],
        api=_api(value["api"]),
        state_url=value["state"]["url"],
        data_root=data_root or value["data"]["root"],
        seats=tuple((name, Seat(seat["accountId"], seat["retailerId"])) for name, seat in seats),
        name_prefix=value.get("namePrefix", ""),
        sample_rows=int(sample["rows"]) if sample else None,
        guards=guards(value.get("guards", {}), Guards()),
        sealing_key=value["state"].get("sealingKey", SEALING_KEY),
        snapshot_key=value["state"].get("snapshotKey", ""),
        earlier_snapshot_keys=tuple(value["state"].get("earlierSnapshotKeys", ())),
        retention=_retention(value["state"].get("keep", {})),
        approval_limits=_leeway(value.get("approval", {})),
        promotion=_gate(value["promotion"]) if "promotion" in value else None,
        admins=tuple(value.get("admins", ())),
        confirm=Confirmation(value["confirm"]) if "confirm" in value else None,
        data_place=None if data_root else home.place("data", "root"),
        paused=value.get("paused", False),
        suppression_lists=suppression_lists,
        repair=RepairMode(value.get("repair", RepairMode.ASK)),
        receivers=tuple(map(_receiver, value.get("notify", ()))),
        spark=value.get("engine", {}).get("spark", ""),
        spark_token=value.get("engine", {}).get("token", ""),
    )


def _receiver(value: dict[str, Any]) -> Receiver:
    kinds = value.get("kinds", NotificationKind)
    form = NotificationForm(value.get("form", NotificationForm.JSON))
    return Receiver(value["name"], value["url"], form, frozenset(map(NotificationKind, kinds)))


def _retention(value: dict[str, Any]) -> Retention:
    return Retention(
        versions=int(value.get("versions", DEFAULT_RETENTION.versions)),
        age=timedelta(days=int(value["days"])) if "days" in value else None,
    )


def _leeway(value: dict[str, Any]) -> ApprovalLimits:
    otherwise = ApprovalLimits()
    return ApprovalLimits(
        tolerance=share(value["tolerance"]) if "tolerance" in value else otherwise.tolerance,
        max_age=duration(value, "maxAge") or otherwise.max_age,
    )


def _gate(value: dict[str, Any]) -> PromotionGate:
    return PromotionGate(
        source=value["from"],
        verified=value.get("verified", True),
        soak=duration(value, "soak") or timedelta(),
        allow_emulator=value.get("allowEmulator", False),
        own=tuple(
            OwnParts(pattern, tuple(PortablePart) if ALL_PARTS in parts else tuple(map(PortablePart, parts)))
            for pattern, parts in value.get("own", {}).items()
        ),
    )


def _api(value: dict[str, Any]) -> Api:
    otherwise = Api(endpoint=value["endpoint"])
    return Api(
        endpoint=otherwise.endpoint,
        version=value.get("version", otherwise.version),
        token_url=value.get("tokenUrl", otherwise.token_url),
        consent_url=value.get("consentUrl", otherwise.consent_url),
        batch_size=int(value.get("batchSize", otherwise.batch_size)),
        share=share(value["share"]) if "share" in value else otherwise.share,
        timeout=duration(value, "timeout") or otherwise.timeout,
        grace_period=duration(value, "gracePeriod") or otherwise.grace_period,
    )


def _credential(document: ManifestDocument) -> Credential:
    value = document.root.value
    planning = value.get("plan")
    return Credential(
        name=document.name,
        application=_application(value),
        plan_application=_application(planning) if planning else None,
        place=document.place("name"),
    )


def _application(value: dict[str, Any]) -> Application:
    return Application(
        grant=value["grant"],
        client_id=value["clientId"],
        client_secret=value["clientSecret"],
        refresh_token=value.get("refreshToken", ""),
        redirect_uri=value.get("redirectUri", ""),
        pkce=value.get("pkce", False),
    )


def _audience(
    document: ManifestDocument, environment: Environment, root: str, inventory: ManifestIndex
) -> Audience:
    value = document.root.value
    source = value["source"]
    country = next(iter(countries(document, inventory)), "")
    return Audience(
        name=document.name,
        title=value["title"],
        description=value.get("description", ""),
        source=Source(
            files=tuple(source.get("files", ())),
            where=source.get("where", ""),
            max_age=duration(source, "maxAge"),
            pinned=source.get("pinned", False),
            root=root,
            sample_rows=environment.sample_rows,
            place=document.place("source", *rows_key(source)),
            where_place=document.place("source", "where"),
            where_written=document.written("source", "where"),
            query=None if {"files", "delta", "iceberg"} & source.keys() else query(document, inventory),
            delta=source.get("delta", "").rstrip("/"),
            iceberg=source.get("iceberg", "").rstrip("/"),
            partitions=tuple(
                Partition(column, PartitionType(kind))
                for column, kind in source.get("partitions", {}).items()
            ),
        ),
        columns=_columns(value),
        exclusion_lists=tuple(
            _list(document, ("exclude", index), country, LIST_SHRINK)
            for index in range(len(value.get("exclude", [])))
        ),
        guards=guards(value.get("guards", {}), environment.guards),
        place=document.place("name"),
        places=tuple(document.place("columns", kind) for kind in value["columns"]),
        country=country if PHONE in value["columns"] else "",
        paused=environment.paused or value.get("paused", False),
        protected=value.get("protect", False),
        suppression_lists=environment.suppression_lists,
    )


def _suppression(home: ManifestDocument) -> tuple[Exclusion, ...]:
    """Return the suppression lists in the order of their names. One limit holds for all."""
    limit = guards(home.root.value.get("guards", {}), Guards()).max_suppression_shrink
    declared = home.value("suppress", "lists") or ()
    found = (_list(home, ("suppress", "lists", index), "", limit) for index in range(len(declared)))
    return tuple(sorted(found, key=lambda one: one.name))


def _list(
    document: ManifestDocument, path: tuple[PathStep, ...], country: str, max_shrink: float
) -> Exclusion:
    """An exclusion list is read as its audience is, unless it names a country of its own."""
    value = document.value(*path)
    places = tuple(document.place(*path, "columns", kind) for kind in value["columns"])
    return Exclusion(
        files=tuple(value["files"]),
        columns=_columns(value),
        place=document.place(*path),
        places=places,
        country=value.get("defaultCountry", country) if PHONE in value["columns"] else "",
        max_shrink=share(value["maxShrink"]) if "maxShrink" in value else max_shrink,
        kind=ListKind.SUPPRESSION if path[0] == "suppress" else ListKind.EXCLUSION,
        name=value.get("name", ""),
    )


def _columns(value: dict[str, Any]) -> tuple[tuple[IdentifierType, str], ...]:
    return tuple((IdentifierType(kind), column) for kind, column in value["columns"].items())


def _segment(
    environment: Environment, destination: ManifestDocument, audience: Audience, place: SourceLocation
) -> SegmentSpec:
    value = destination.root.value
    seat = environment.seat(value["seat"])
    identifier_type = IdentifierType(value["identifierType"])
    hashing = Hashing(value.get("hashing", Hashing.NONE))
    address = Address(destination.name, audience.name)
    return SegmentSpec(
        address=address,
        name=audience.title,
        description=audience.description,
        key=SegmentKey(seat.account_id, seat.retailer_id, identifier_type, hashing),
        credential=value["credential"],
        audience=audience,
        endpoint=(_reached(environment.api.endpoint), _reached(environment.api.token_url)),
        place=place,
        access=Access(
            admin_only=destination.value("access", "adminOnly") or False,
            pii=PersonalData(destination.value("access", "pii") or PersonalData.HASHED),
        ),
        gate=environment.promotion,
    )


def _reached(url: str) -> str:
    """Only an emulator is reached by `http://`, on this machine: its port is another one each time."""
    return "http://" if url.startswith("http://") else url
