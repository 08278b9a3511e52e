"""The output of `doctor`, word for word in tests/golden/doctor: wide, on 80 columns, and as JSON."""

import io
from pathlib import Path

import pytest
from rich.cells import cell_len
from support import schemas

from reconciler.core.doctor.checks import SKIPPED, Check, CheckName, CheckResult, CheckStatus
from reconciler.core.doctor.results import invalid, ok, warning
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.render.json.doctor import checkup_values
from reconciler.render.json.values import DocumentKind, document, dump
from reconciler.render.terminal.console import LOG_WIDTH, console
from reconciler.render.terminal.doctor import print_checkup

FOLDER = Path(__file__).parents[3] / "golden" / "doctor"
FILES = {LOG_WIDTH: "expected.txt", 80: "expected-80.txt"}
ROLE, PLANNING = "criteo", "criteo (plan)"
ACCOUNT, SEAT = "368477501993431040", "368477501993431040/3239117063738827231"
START = Check(CheckName.MANIFESTS, "", "", ok("valid; audiences: 4, segments: 7"))
SOUND = (
    Check(CheckName.VERSION, "", "", ok("2026-07, supported until 2027-07-21")),
    Check(CheckName.STATE, "", "reading", ok("addresses in it: 7")),
    Check(CheckName.STATE, "", "writing", ok("its lock can be taken")),
    Check(CheckName.SOURCES, "", "", ok("the files of every audience are there and can be read")),
)
HELD = (
    Check(CheckName.SECRETS, ROLE, "", ok("the emulator issues its own")),
    Check(CheckName.TOKEN, ROLE, "", ok("Criteo issues one")),
    Check(CheckName.APPLICATION, ROLE, "", ok("“emulated application”")),
    Check(CheckName.AUDIENCES, ROLE, ACCOUNT, ok("its segments can be read")),
)
BROKEN = (
    Check(CheckName.SECRETS, ROLE, "clientId", ok("read from env")),
    Check(
        CheckName.SECRETS,
        ROLE,
        "refreshToken",
        CheckResult(
            CheckStatus.FAILURE,
            "the secret file secrets/acme.json can't be read: No such file or directory",
            "ask for consent: `reconciler auth login production criteo`",
            4,
        ),
    ),
    *(
        Check(link, ROLE, "", SKIPPED)
        for link in (CheckName.CONSENT, CheckName.TOKEN, CheckName.APPLICATION, CheckName.CLOCK)
    ),
    *(Check(link, ROLE, item, SKIPPED) for link in (CheckName.AUDIENCES, CheckName.ACCOUNT) for item in "12"),
    Check(CheckName.TOKEN, PLANNING, "", ok("Criteo issues one")),
    Check(
        CheckName.ACCOUNT,
        PLANNING,
        ACCOUNT,
        warning(
            "not checked: the application may not list accounts",
            "give it `Accounts: Read` to have this checked",
        ),
    ),
    Check(
        CheckName.RETAILER,
        PLANNING,
        SEAT,
        CheckResult(
            CheckStatus.FAILURE,
            "the account has no such retailer",
            "check accountId and retailerId in environment.yaml",
            3,
        ),
    ),
)
FINDINGS = [
    Finding(f"environments/production/all.yaml:{line}:3", "there is no key of that name", "remove it")
    for line in range(1, 23)
]
CASES = {
    "holds": (START, *HELD, *SOUND),
    "breaks": (START, *BROKEN, *SOUND),
    "invalid": invalid(ConfigurationError("22 problems", findings=FINDINGS)),
}


def compared(reported: str, file: Path, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(reported, encoding="utf-8")
    assert reported == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", FILES)
@pytest.mark.parametrize("case", CASES)
def test_checkups_read_word_for_word(case: str, width: int, request: pytest.FixtureRequest) -> None:
    reported = io.StringIO()
    print_checkup("production", CASES[case], console(reported, color=None, width=width))
    compared(reported.getvalue(), FOLDER / case / FILES[width], request)
    assert max(map(cell_len, reported.getvalue().splitlines())) <= width


@pytest.mark.parametrize("case", CASES)
def test_machines_read_the_same(case: str, request: pytest.FixtureRequest) -> None:
    reported = checkup_json("production", CASES[case])
    compared(reported + "\n", FOLDER / case / "expected.json", request)
    printed = schemas.output(reported)
    assert len(printed["checks"]) == len(CASES[case])
    assert printed["exit_code"] == next(
        (one["exit_code"] for one in printed["checks"] if one["exit_code"]), 0
    )


def checkup_json(environment: str, checks: list[Check]) -> str:
    return dump(document(DocumentKind.DOCTOR, checkup_values(environment, checks)))


def test_every_folder_is_a_case() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(CASES)


def test_what_criteo_says_changes_no_layout() -> None:
    untrusted = "[red]x[/]\x1b[31m\n\u202ey\u200b"
    result = CheckResult(CheckStatus.WARNING, untrusted, "one\n  two")
    reported = io.StringIO()
    print_checkup(
        untrusted,
        [Check(CheckName.APPLICATION, untrusted, untrusted, result)],
        console(reported, color=False),
    )
    assert reported.getvalue().count("\n") == 8
    assert "[red]x[/] y: [red]x[/] y" in reported.getvalue()
    for text in (
        reported.getvalue(),
        checkup_json(untrusted, [Check(CheckName.APPLICATION, untrusted, untrusted, result)]),
    ):
        assert not {"\x1b", "\u202e", "\u200b"} & set(text)
