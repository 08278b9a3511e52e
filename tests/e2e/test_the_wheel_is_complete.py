"""The installed wheel works without the repository: schemas, emulator, types, templates."""

import subprocess
import sys
import zipfile

from support.cli import REPOSITORY, Project, surroundings


def test_the_wheel_validates_and_plans_on_its_own(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    [wheel] = (tmp_path / "dist").glob("criteo_reconciler-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        packed.extractall(tmp_path / "installed")
    assert {
        f"reconciler/{file.relative_to(REPOSITORY).as_posix()}"
        for file in (REPOSITORY / "schemas").rglob("*.json")
    } <= names
    assert "reconciler/emulator/wsgi.py" in names
    assert "reconciler/py.typed" in names
    assert {f"reconciler/render/html/templates/document.{kind}" for kind in ("html.j2", "css")} <= names
    (tmp_path / "project").mkdir()
    project = Project.make(tmp_path / "project")
    project.people(*range(3))
    where = str(tmp_path / "installed")
    code = f"import sys; sys.path.insert(0, {where!r}); from reconciler.cli import main; main()"
    (tmp_path / "new").mkdir()
    runs = [(project.root, ["validate"]), (project.root, ["plan", "sandbox"])]
    runs += [(tmp_path / "new", arguments) for arguments in (["init"], ["validate"], ["plan", "sandbox"])]
    for folder, arguments in runs:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=folder,
            env=surroundings(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
