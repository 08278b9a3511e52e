"""The shell blocks of the page about migrations run in order: 12 segments of another tool are taken over."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from support.docs_shell import of_page, printed
from support.emulator import ACCOUNT, HOST, RETAILER, Client, contact_list, sha256

from reconciler.emulator import Emulator
from reconciler.emulator.in_process_transport import transport
from reconciler.emulator.segments import Segment

pytestmark = pytest.mark.promise("converges")

ENVIRONMENT = f"""\
kind: Environment
name: production
api: {{endpoint: emulator, version: "2026-07"}}
state: {{url: "file:.reconciler/state/production"}}
data: {{root: data}}
seats:
  acme: {{accountId: "{ACCOUNT}", retailerId: "{RETAILER}"}}
"""
CREDENTIAL = """\
kind: Credential
name: criteo
grant: clientCredentials
clientId: env:CRITEO_CLIENT_ID
clientSecret: env:CRITEO_CLIENT_SECRET
"""
NAMES = {
    "Lapsed buyers": "lapsed-buyers",
    "lapsed-buyers": "lapsed-buyers-2",
    "Dog owners": "dog-owners",
    "Käufer: 30 % & mehr #1": "kaufer-30-mehr-1",
    "Été «soldes» 🐶": "ete-soldes",
    "no": "no",
    "2026-11-24": "2026-11-24",
    "- {VIP}: 'gold' \"plus\"": "vip-gold-plus",
    "| > * & ! % @ `x`": "x",
    "会員": "segment-",
    "Loyalty members": "loyalty-members",
    "~null~": "null",
}
"""Names of the other tool, and those of their manifests. The last ones of the list hold customer IDs."""
CUSTOMERS = frozenset({"Loyalty members", "~null~"})
ASSUMED = frozenset({"lapsed-buyers", "loyalty-members"})
REPLACED = "dog-owners"
SENT_BEFORE, WANTED = range(30), range(10, 50)


@dataclass(frozen=True)
class Migration:
    """What the blocks printed, and the segments before."""

    root: Path
    printed: tuple[str, ...]
    before: dict[str, Segment]
    slugs: dict[str, str]

    def emulator(self) -> Emulator:
        return Emulator.open(emulator_file(self.root))


def emulator_file(root: Path) -> Path:
    return root / ".reconciler" / "emulator" / "production.sqlite"


@contextmanager
def another_tool(root: Path) -> Iterator[Client]:
    """Yield a client of the API that knows nothing of reconciler."""
    emulator_file(root).parent.mkdir(parents=True)
    with Emulator.open(emulator_file(root)) as emulator:
        emulator.ensure_account(ACCOUNT, [RETAILER])
        with httpx.Client(base_url=HOST, transport=transport(emulator.pipeline)) as http:
            client = Client(emulator, http)
            client.authorize()
            yield client


def identifier(name: str, number: int) -> str:
    return f"c{number}" if name in CUSTOMERS else sha256(f"person{number}@example.com")


def export(path: Path, numbers: range) -> None:
    lines = ["email,customer_id", *(f"person{one}@example.com,c{one}" for one in numbers)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def migration(tmp_path_factory: pytest.TempPathFactory) -> Migration:
    root = tmp_path_factory.mktemp("migrate")
    folder = root / "environments" / "production"
    folder.mkdir(parents=True)
    (folder / "environment.yaml").write_text(ENVIRONMENT)
    (folder / "credentials.yaml").write_text(CREDENTIAL)
    slugs: dict[str, str] = {}
    with another_tool(root) as client:
        for name, slug in NAMES.items():
            kind = "CustomerId" if name in CUSTOMERS else "Email"
            made = client.create(contact_list(name, kind, description=f"By the other tool: {name}"))
            segment_id = str(made.json()["data"][0]["id"])
            client.add(segment_id, [identifier(name, one) for one in SENT_BEFORE])
            slugs[name] = f"{slug}{segment_id}" if slug.endswith("-") else slug
        before = {one.name: one for one in client.emulator.segments()}
    for slug in slugs.values():
        export(root / "data" / f"{slug}.csv", WANTED)
    for slug in ASSUMED:
        export(root / "data" / "sent" / f"{slug}.csv", SENT_BEFORE)
    blocks = of_page("docs/how-to/migrate.md")
    return Migration(root, tuple(printed(root, blocks, CI="", GITHUB_ACTIONS="")), before, slugs)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_every_block_does_what_the_text_says(migration: Migration) -> None:
    dumped, filled, checked, chosen, planned, applied, quiet = map(flat, migration.printed)
    assert "12 segments to adopt, written to dumped" in dumped
    assert (filled, chosen) == ("", "")
    assert "production" in checked
    assert "Plan: 1 to replace, 11 to adopt" in planned
    assert "12 applied" in applied
    assert "No changes" in quiet
    assert "Remove the Adopt documents" not in quiet
    assert "unknown members may remain" in quiet


def test_segments_keep_their_ids_and_names(migration: Migration) -> None:
    with migration.emulator() as emulator:
        after = {one.id: one for one in emulator.segments()}
    for name, segment in migration.before.items():
        renamed = migration.slugs[name] == REPLACED
        assert after[segment.id].name.startswith(f"{name} (retired " if renamed else name)
        tag = re.search(r"\[reconciler [0-9a-f]{10}-[0-9a-f]{4}\]$", after[segment.id].description or "")
        assert bool(tag) is not renamed
        assert (after[segment.id].description or "").startswith(f"By the other tool: {name}")


def test_members_are_what_each_baseline_promises(migration: Migration) -> None:
    with migration.emulator() as emulator:
        after = {one.id: one for one in emulator.segments()}
        for name, segment in migration.before.items():
            wanted = {identifier(name, one) for one in WANTED}
            sent_before = {identifier(name, one) for one in SENT_BEFORE}
            held = emulator.members(segment.id)
            if migration.slugs[name] == REPLACED:
                [made] = [one for one in after.values() if one.name == name]
                assert made.id not in {one.id for one in migration.before.values()}
                assert emulator.members(made.id) == wanted
                assert held == sent_before
            elif migration.slugs[name] in ASSUMED:
                assert held == wanted
            else:
                assert held == wanted | sent_before


def test_no_segment_is_cleared(migration: Migration) -> None:
    with migration.emulator() as emulator:
        operations = {one.operation for one in emulator.history()}
    assert "ClearContactListByAudienceSegment" not in operations
    assert "bulkDeleteAudienceSegments" not in operations
