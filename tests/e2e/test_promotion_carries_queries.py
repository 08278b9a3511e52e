"""Promotion carries a query in a file of its own together with the audience that names it."""

from pathlib import Path

import pytest
from support.promotion_repository import PromotionRepository, audience

from reconciler.core.errors import ConfigurationError
from reconciler.core.promotion.lock import LOCK_FILE
from reconciler.operations.check_promotion import check
from reconciler.operations.promote import PreparedPromotion, PromotionRequest, carry_out, prepare

pytestmark = pytest.mark.promise("promotion")

CONNECTION = "kind: Connection\nname: crm\ndriver: sqlite\nfile: {}.sqlite\n"
LAPSED, SQL = "audiences/lapsed.yaml", "audiences/lapsed.sql"
TEXT = "SELECT email\nFROM customers\nWHERE last_order < :today\n"
EDITED = TEXT.replace("FROM customers", "FROM people")


def asking(name: str, file: str = "lapsed.sql") -> str:
    """Return an audience whose source is a query in a file."""
    text = audience(name)
    before, after = text.index("source:"), text.index("columns:")
    return f"{text[:before]}source:\n  query: {{connection: crm, file: {file}}}\n\n{text[after:]}"


@pytest.fixture
def repository(tmp_path: Path) -> PromotionRepository:
    """One audience with a query in a file was promoted."""
    made = PromotionRepository.make(tmp_path)
    for name in ("sandbox", "production"):
        made.write(name, "connections.yaml", CONNECTION.format(name))
    made.write("sandbox", LAPSED, asking("lapsed"))
    made.write("sandbox", SQL, TEXT)
    promoted(made)
    return made


def prepared(made: PromotionRepository, *only: str) -> PreparedPromotion:
    made.commit()
    return prepare(made.root, PromotionRequest("sandbox", "production", only), None)


def promoted(made: PromotionRepository, *only: str) -> PreparedPromotion:
    merge = prepared(made, *only)
    carry_out(merge)
    made.commit("Promote")
    return merge


def refused(made: PromotionRepository, *only: str) -> str:
    with pytest.raises(ConfigurationError) as found:
        prepared(made, *only)
    return " ".join(f"{one.where}: {one.problem} → {one.remedy}" for one in found.value.findings)


def test_a_changed_query_is_a_changed_definition(repository: PromotionRepository) -> None:
    assert repository.read("production", SQL) == TEXT
    repository.write("sandbox", SQL, EDITED)
    merge = promoted(repository)
    assert merge.changed == (SQL, LOCK_FILE)
    assert merge.comparison
    [difference] = merge.comparison.differences
    assert "source.query.sql" in str(difference)
    assert {one.path for one in merge.lock.files} >= {SQL, LAPSED}
    assert repository.read("production", SQL) == EDITED
    assert check(repository.root, "sandbox", "production", "", lambda _, __: None) == ()


def test_an_edit_of_production_stays_or_is_a_conflict(repository: PromotionRepository) -> None:
    repository.edit("production", SQL, ":today", ":today - 30")
    repository.edit("sandbox", SQL, "SELECT email", "SELECT lower(email) AS email")
    promoted(repository)
    assert repository.read("production", SQL) == (
        "SELECT lower(email) AS email\nFROM customers\nWHERE last_order < :today - 30\n"
    )
    repository.write("sandbox", SQL, EDITED)
    repository.edit("production", SQL, "FROM customers", "FROM everybody")
    assert prepared(repository).conflicts == (SQL,)


def test_a_moved_query_keeps_what_production_edited(repository: PromotionRepository) -> None:
    repository.edit("production", SQL, "FROM customers", "FROM everybody")
    repository.move("sandbox", SQL, "audiences/sql/all.sql")
    repository.write("sandbox", LAPSED, asking("lapsed", "sql/all.sql"))
    promoted(repository)
    assert "FROM everybody" in repository.read("production", "audiences/sql/all.sql")
    assert not (repository.folder("production") / SQL).exists()


def test_a_selected_audience_brings_its_query(repository: PromotionRepository) -> None:
    repository.write("sandbox", SQL, EDITED)
    repository.write("sandbox", "audiences/loyal.yaml", asking("loyal", "loyal.sql"))
    repository.write("sandbox", "audiences/loyal.sql", TEXT)
    assert promoted(repository, "loyal").changed == ("audiences/loyal.sql", "audiences/loyal.yaml", LOCK_FILE)
    assert promoted(repository, LAPSED).changed == (SQL, LOCK_FILE)
    repository.remove("sandbox", "audiences/loyal.yaml")
    repository.remove("sandbox", "audiences/loyal.sql")
    promoted(repository, "email/loyal")
    assert not (repository.folder("production") / "audiences" / "loyal.sql").exists()


def test_a_shared_query_is_not_changed_for_one_audience(repository: PromotionRepository) -> None:
    repository.write("sandbox", "audiences/loyal.yaml", asking("loyal"))
    promoted(repository, "loyal")
    repository.write("sandbox", SQL, EDITED)
    assert refused(repository, "loyal") == (
        f"{SQL}: the query in this file is also that of lapsed → promote them together with `--only lapsed`"
    )
    assert prepared(repository, "loyal", "lapsed").changed == (SQL, LOCK_FILE)
    assert prepared(repository, SQL).changed == (SQL, LOCK_FILE)


def test_a_link_to_a_query_is_refused(repository: PromotionRepository) -> None:
    repository.move("sandbox", SQL, "audiences/other.sql")
    (repository.folder("sandbox") / SQL).symlink_to("other.sql")
    assert f"environments/sandbox/{SQL}: this is a link, and no file" in refused(repository)
