"""The project of the leak tests: every hashing and type, exclusions, invalid members."""

import csv
import io
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from leaks.injections import known_tokens
from leaks.markers import MARKERS, Markers, Person
from leaks.runner import LeakRunner

from reconciler.emulator import Emulator

ENVIRONMENT = """\
kind: Environment
name: sandbox
api: {endpoint: ENDPOINT, version: "2026-07", batchSize: 16, gracePeriod: 1s, timeout: 2s}
state: {url: "file:.reconciler/state/sandbox", snapshotKey: "env:RECONCILER_SNAPSHOT_KEY"}
data: {root: data}
seats:
  acme: {accountId: "368477501993431040", retailerId: "3239117063738827231"}
guards: {maxShrink: 20%, maxGrowth: 100%, minMembers: 1, maxInvalid: 60%}
"""
CREDENTIAL = """\
kind: Credential
name: criteo
grant: clientCredentials
clientId: env:CRITEO_ID
clientSecret: env:CRITEO_SECRET
"""
DESTINATIONS = {
    "email": "identifierType: Email\nhashing: sha256",
    "md5": "identifierType: Email\nhashing: md5",
    "twice": "identifierType: Email\nhashing: sha256-of-md5",
    "raw": "identifierType: Email\nhashing: none\naccess: {pii: raw}",
    "customer": "identifierType: CustomerId",
    "phone": "identifierType: PhoneNumber\nhashing: sha256",
    "call": "identifierType: PhoneNumber\nhashing: none\naccess: {pii: raw}",
}
AUDIENCE = """\
kind: Audience
name: buyers
title: Buyers
destinations: [EVERYWHERE]
source: {files: ["people.csv"]}
columns: {Email: email, CustomerId: id, PhoneNumber: phone}
exclude:
  - {files: ["suppressed.csv"], columns: {Email: email}}
"""
TEMPORARY = ("tmp", "home", "said")


def leak_project(
    root: Path,
    endpoint: str = "emulator",
    markers: Markers = MARKERS,
    only: Sequence[str] = tuple(DESTINATIONS),
) -> LeakRunner:
    """A project in its own folder, with all markers in its sources."""
    runner = LeakRunner(root, markers)
    for name in TEMPORARY:
        (root / name).mkdir(parents=True)
    (runner.folder / "data").mkdir(parents=True)
    manifests = runner.folder / "environments" / "sandbox"
    manifests.mkdir(parents=True)
    (manifests / "environment.yaml").write_text(ENVIRONMENT.replace("ENDPOINT", endpoint))
    destinations = [
        f"kind: Destination\nname: {name}\ncredential: criteo\nseat: acme\n{form}\n"
        for name, form in DESTINATIONS.items()
    ]
    (manifests / "rest.yaml").write_text("---\n".join([CREDENTIAL, *destinations]))
    (manifests / "buyers.yaml").write_text(AUDIENCE.replace("EVERYWHERE", ", ".join(only)))
    people(runner, (*markers.people, *markers.misfits), markers.hashes)
    people(runner, markers.people[-2:], name="suppressed.csv")
    return runner


def people(
    runner: LeakRunner, persons: Iterable[Person], hashes: Iterable[str] = (), name: str = "people.csv"
) -> None:
    """Write a source."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(("email", "id", "phone"))
    rows.writerows((one.email, one.customer, one.phone) for one in persons)
    rows.writerows((hashed, "", hashed) for hashed in hashes)
    (runner.folder / "data" / name).write_text(text.getvalue())


def edit(runner: LeakRunner, name: str, old: str, new: str) -> None:
    """Replace a part of a manifest, which must exist."""
    file = runner.folder / "environments" / "sandbox" / name
    text = file.read_text()
    assert old in text, name
    file.write_text(text.replace(old, new))


def applied_copy(root: Path, template: Path) -> LeakRunner:
    """A copy of an applied project, with one member removed and three added since."""
    shutil.copytree(template, root, dirs_exist_ok=True)
    runner = LeakRunner(root, with_issued(MARKERS, root))
    people(runner, (*MARKERS.people[:3], *MARKERS.people[4:], *MARKERS.misfits), MARKERS.hashes)
    return runner


def applied(base: Path) -> Path:
    """The template without the first three members, applied once for all that share `base`."""
    root = base / "markers"
    if root.exists():
        return root
    runner = leak_project(root)
    people(runner, (*MARKERS.people[3:], *MARKERS.misfits), MARKERS.hashes)
    ended = runner.run("apply", "sandbox", "--yes", injections=(known_tokens,))
    assert ended.code == 0, ended.text
    shutil.rmtree(root / "said")
    (root / "said").mkdir()
    return root


def with_issued(markers: Markers, root: Path) -> Markers:
    """Add the emulator's own credentials to the secrets."""
    with Emulator.open(root / "project" / ".reconciler" / "emulator" / "sandbox.sqlite") as emulator:
        issued = emulator.credentials
    return replace(markers, issued=(issued.client_id, issued.client_secret))
