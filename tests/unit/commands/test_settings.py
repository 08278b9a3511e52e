"""Environment variables are checked before anything is read."""

import pytest

from reconciler.core.errors import ConfigurationError
from reconciler.settings import MEMORY_LIMIT, read_settings


def settings():
    return read_settings(
        directory=None, data_root=None, emulate=False, quiet=False, verbose=False, no_color=False
    )


@pytest.mark.parametrize(
    ("terminal", "dumb"), [("dumb", True), ("unknown", True), ("xterm-256color", False), (None, False)]
)
def test_a_dumb_terminal_gets_no_colour_and_nothing_moves(monkeypatch, terminal, dumb):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("TERM", raising=False)
    if terminal:
        monkeypatch.setenv("TERM", terminal)
    assert (settings().dumb, settings().colour) == (dumb, False if dumb else None)


@pytest.mark.parametrize("size", ["64MB", "512MB", "1GB", "16GB"])
def test_a_memory_limit_is_taken_as_it_is(monkeypatch, size):
    monkeypatch.setenv(MEMORY_LIMIT, size)
    assert settings().memory_limit == size


@pytest.mark.parametrize("size", ["potato", "1KB", "63MB", "0GB", "1 GB", "", "1GB; SET x=1"])
def test_a_memory_limit_that_is_none_is_refused_by_its_name(monkeypatch, size):
    monkeypatch.setenv(MEMORY_LIMIT, size)
    with pytest.raises(ConfigurationError, match=MEMORY_LIMIT) as refused:
        settings()
    assert "512MB" in refused.value.remedy


def test_the_lock_is_signed_with_the_address_of_the_run(monkeypatch):
    for name, value in (
        ("SERVER_URL", "https://forge.example"),
        ("REPOSITORY", "acme/audiences"),
        ("RUN_ID", "7"),
    ):
        monkeypatch.setenv(f"GITHUB_{name}", value)
    assert settings().who == "https://forge.example/acme/audiences/actions/runs/7"


@pytest.mark.parametrize("name", ["CI_JOB_URL", "BUILD_URL"])
@pytest.mark.promise("private")
def test_the_lock_is_not_signed_with_a_login(monkeypatch, name):
    monkeypatch.delenv("GITHUB_RUN_ID", raising=False)
    monkeypatch.setenv(name, "https://bot:s3@cr3t@ci.example/job/7?token=s3cr3t#s3cr3t")
    assert settings().who == "https://ci.example/job/7"
