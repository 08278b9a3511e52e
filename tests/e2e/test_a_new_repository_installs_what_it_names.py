"""What `init --from` writes can be installed in a fresh environment, without any index."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import yaml
from support.cli import REPOSITORY, Project, surroundings
from support.team_repository import GIT

from reconciler import __version__

GITHUB = ".github/actions/reconciler/requirements.txt"
GITLAB = ".gitlab/reconciler/requirements.txt"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
HOOKS = ".pre-commit-config.yaml"


def git(*arguments: str) -> str:
    done = subprocess.run([GIT, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


def installed(root: Path, requirements: str, folder: Path) -> Path:
    """As jobs do it, from the repository's root. What reconciler depends on is there already."""
    venv.create(folder)  # PYTHONPATH has pip
    environ = surroundings(
        PIP_NO_INDEX="1",
        PIP_NO_DEPS="1",
        PIP_NO_BUILD_ISOLATION="0",
        PYTHONPATH=sysconfig.get_path("purelib"),
        PYTHONWARNINGS="ignore",
    )
    python = folder / "bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]
    done = subprocess.run(install, cwd=root, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    where = subprocess.run(
        [python, "-c", "import reconciler; print(reconciler.__file__)"],
        cwd=root,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(folder)
    return folder / "bin"


def works(root: Path, programs: Path) -> None:
    path = f"{programs}:{os.environ['PATH']}"
    environ = surroundings(PYTHONPATH=sysconfig.get_path("purelib"), PATH=path)
    for command in ("reconciler validate", "reconciler codeowners --check CODEOWNERS"):
        ended = subprocess.run(
            [programs / "reconciler", *command.split()[1:]],
            cwd=root,
            env=environ,
            capture_output=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr


def test_a_wheel_is_kept_and_installed(tmp_path: Path, wheel: Path):
    root = tmp_path / "new"
    Project(tmp_path).run("init", "new", "--ci", "gitlab", "--from", str(wheel))
    assert (root / "wheels" / wheel.name).read_bytes() == wheel.read_bytes()
    works(root, installed(root, GITLAB, tmp_path / "venv"))
    hooks = yaml.safe_load((root / HOOKS).read_text())["repos"][0]["hooks"]
    assert {one["language"] for one in hooks} == {"system"}, "pre-commit installs where no path leads"


def test_a_commit_is_installed(tmp_path: Path):
    root, origin = tmp_path / "new", tmp_path / "origin"
    git("clone", "--quiet", "--bare", str(REPOSITORY), str(origin))
    commit = git("-C", str(origin), "rev-parse", "HEAD")
    address = f"file://{origin}@{commit}"
    Project(tmp_path).run("init", "new", "--ci", "gitlab", "--from", address)
    works(root, installed(root, GITLAB, tmp_path / "venv"))
    wanted = f"git+{address}"
    assert (root / GITLAB).read_text().splitlines()[-1] == wanted
    hooks = yaml.safe_load((root / HOOKS).read_text())["repos"][0]["hooks"]
    assert [one["additional_dependencies"] for one in hooks] == [[wanted], [wanted]]


def test_in_a_folder_of_a_repository_the_path_is_from_its_root(tmp_path: Path, wheel: Path):
    """Jobs install at the root, wherever their commands run."""
    (tmp_path / ".git").mkdir()
    Project(tmp_path).run("init", "ads/audiences", "--from", str(wheel))
    line = (tmp_path / "ads/audiences" / GITHUB).read_text().splitlines()[-1]
    assert line == f"./ads/audiences/wheels/{wheel.name}"
    assert (tmp_path / line).exists()


def test_without_it_an_index_is_asked(tmp_path: Path):
    Project(tmp_path).run("init")
    assert (tmp_path / GITHUB).read_text().splitlines()[-1] == f"criteo-reconciler=={__version__}"
    hooks = yaml.safe_load((tmp_path / HOOKS).read_text())["repos"][0]["hooks"]
    assert hooks[0]["additional_dependencies"] == [f"criteo-reconciler=={__version__}"]


@pytest.mark.parametrize(
    ("origin", "message"),
    [
        (f"git+https://git.example.com/acme/reconciler.git@{COMMIT}", ""),
        (f"ssh://git@git.example.com/acme/reconciler.git@{COMMIT}", ""),
        ("https://git.example.com/acme/reconciler.git@main", "name a commit by its 40 digits"),
        ("https://git.example.com/acme/reconciler.git", "as https://HOST/PATH@COMMIT"),
        (f"https://ada:s3cr3t@git.example.com/r.git@{COMMIT}", "leave user and password out of the URL"),
        (f"ssh://ada:s3cr3t@git.example.com/r.git@{COMMIT}", "leave user and password out of the URL"),
        (f"http://git.example.com/r.git@{COMMIT}", "as https://HOST/PATH@COMMIT"),
        (f"git@git.example.com:acme/r.git@{COMMIT}", "name a file like criteo_reconciler-"),
        ("nowhere/criteo_reconciler-0.1.0-py3-none-any.whl", "is not a wheel of criteo-reconciler"),
        ("other-1.0-py3-none-any.whl", "name a file like criteo_reconciler-"),
    ],
)
def test_what_moves_or_holds_a_login_is_refused(tmp_path: Path, origin: str, message: str):
    said = " ".join(
        Project(tmp_path).run("init", "new", "--from", origin, code=64 if message else 0).said.split()
    )
    assert message in said
    assert "s3cr3t" not in said
    assert (tmp_path / "new").exists() is not bool(message)
