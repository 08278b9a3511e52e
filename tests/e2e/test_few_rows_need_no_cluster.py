"""A cluster is opened for sources and large changes only; other commands work while it is out of reach."""

from pathlib import Path

from support.cli import Project


def test_find_works_while_the_cluster_is_out_of_reach(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    project.people(*range(20))
    project.run("apply", "sandbox", "--yes")
    home = project.root / "environments" / "sandbox" / "environment.yaml"
    home.write_text(home.read_text() + 'engine: {spark: "sc://127.0.0.1:1"}\n')
    project.run("validate", "sandbox")
    assert '"found": []' not in project.run("find", "sandbox", "--json", given="person1@example.com\n").said
    refused = project.run("plan", "sandbox", "--read-sources", code=3).said
    assert "engine.spark: " in refused
