"""Spans and metrics of a run, over OTLP. No receiver and no variable changes a run."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cli import REPOSITORY, Project, surroundings
from support.docs_shell import of_page, printed
from support.otlp_receiver import METRICS, TRACES, Receiver, receiving

from reconciler.core.telemetry import Attribute, SpanName

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
WARNING = "Warning: OpenTelemetry "
TOKEN = "POST /oauth2/token"
SEARCH = "POST /accounts/{account}/audience-segments/search"
RETAILERS = "POST /accounts/{account}/retailers/search"
CREATE = "POST /accounts/{account}/audience-segments/create"
CHANGE = "POST /audience-segments/{segment}/contact-list/add-remove"
LOADED = """
import sys
from reconciler.cli import group
from reconciler.clock import StopSignal
group.main(sys.argv[1:], standalone_mode=False, obj=StopSignal())
print("LOADED", *sys.modules)
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.make(tmp_path)
    made.people(*range(40))
    return made


def tree(receiver: Receiver) -> set[tuple[str, str]]:
    return {(one.parent, one.name) for one in receiver.spans()}


def test_a_plan_is_one_tree_of_spans(project: Project, receiver: Receiver) -> None:
    project.run("plan", "sandbox", **{ENDPOINT: receiver.url})
    children = {"state.read", TOKEN, SEARCH, RETAILERS, "sources.read", "members.compare"}
    assert tree(receiver) == {("", "reconciler plan"), *(("reconciler plan", one) for one in children)}
    assert receiver.root().attributes == {
        "reconciler.command": "plan",
        "deployment.environment.name": "sandbox",
        "process.exit.code": 0,
    }
    search = next(one for one in receiver.spans() if one.name == SEARCH)
    assert search.attributes == {
        "http.request.method": "POST",
        "url.template": "/accounts/{account}/audience-segments/search",
        "server.address": "localhost",
        "server.port": 80,
        "http.response.status_code": 200,
    }


def test_an_apply_has_a_span_for_each_change(project: Project, receiver: Receiver) -> None:
    project.run("apply", "sandbox", "--yes", **{ENDPOINT: receiver.url})
    root = "reconciler apply"
    children = {"state.lock", "state.write", CREATE, "change.apply", "sources.read"}
    assert {(root, one) for one in children} <= tree(receiver)
    assert {("change.apply", CHANGE), ("change.apply", "state.write")} <= tree(receiver)
    changes = [one.attributes for one in receiver.spans() if one.name == "change.apply"]
    assert sorted(one["reconciler.address"] for one in changes) == ["customer/buyers", "email/buyers"]
    assert {one["reconciler.outcome"] for one in changes} == {"applied"}


def test_metrics_have_the_names_of_the_semantic_conventions(project: Project, receiver: Receiver) -> None:
    project.run("apply", "sandbox", "--yes", **{ENDPOINT: receiver.url})
    points = receiver.points()
    calls = {
        str(one["url.template"]): (one["http.request.method"], one["http.response.status_code"], count)
        for one, count in points["http.client.request.duration"]
    }
    assert calls["/audience-segments/{segment}/contact-list/add-remove"] == ("POST", 200, 2)
    assert points["reconciler.batches"] == [({"reconciler.operation": "add"}, 2)]
    assert points["reconciler.changes"] == [({"reconciler.outcome": "applied"}, 2)]
    assert ({"reconciler.operation": "add"}, 80) in points["reconciler.identifiers"]
    assert ({"reconciler.change": "create"}, 2) in points["reconciler.plan.addresses"]
    [(command, count)] = points["reconciler.command.duration"]
    assert (command["reconciler.command"], command["process.exit.code"], count) == ("apply", 0, 1)
    assert set(points) >= {"reconciler.state.read.duration", "reconciler.state.write.duration"}


def test_the_standard_variables_count(project: Project, receiver: Receiver) -> None:
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    project.run(
        "plan",
        "sandbox",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{receiver.url}{TRACES}",
        OTEL_EXPORTER_OTLP_HEADERS="x-tenant=acme",
        OTEL_METRICS_EXPORTER="none",
        OTEL_SERVICE_NAME="audiences",
        OTEL_RESOURCE_ATTRIBUTES="team=crm",
        TRACEPARENT=f"00-{trace}-{parent}-01",
    )
    assert {path for path, _, _ in receiver.got} == {TRACES}
    assert receiver.got[0][2]["x-tenant"] == "acme"
    assert {"service.name": "audiences", "team": "crm"}.items() <= receiver.resource().items()
    assert {one.trace for one in receiver.spans()} == {trace}
    assert receiver.root().parent_id == parent
    receiver.got.clear()
    both = {ENDPOINT: receiver.url}
    project.run("plan", "sandbox", OTEL_TRACES_SAMPLER="always_off", **both)
    assert {path for path, _, _ in receiver.got} == {METRICS}
    receiver.got.clear()
    project.run("plan", "sandbox", OTEL_SDK_DISABLED="true", **both)
    project.run("plan", "sandbox", OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none", **both)
    project.run("plan", "sandbox", "--help", **both)
    assert receiver.got == []


def test_a_failure_is_exported_by_its_class(project: Project, receiver: Receiver) -> None:
    project.run("apply", "sandbox", "--yes")
    (project.root / ".reconciler" / "state" / "sandbox" / "key").write_bytes(b"short")
    project.run("apply", "sandbox", "--yes", code=10, **{ENDPOINT: receiver.url})
    root = receiver.root()
    assert root.failed
    assert (root.attributes["error.type"], root.attributes["process.exit.code"]) == ("StorageError", 10)


def test_a_command_that_is_stopped_exports_what_it_has(project: Project, receiver: Receiver) -> None:
    project.run("apply", "sandbox", "--yes")
    with subprocess.Popen(
        project.command("verify", "sandbox", "--wait"),
        cwd=project.root,
        env=surroundings(**{ENDPOINT: receiver.url}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        assert running.stdout
        assert any("waiting" in line or "wait" in line for line in running.stdout)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130
    assert receiver.root().attributes["error.type"] == "CancelledError"
    assert receiver.root().attributes["process.exit.code"] == 130


def test_the_page_about_traces_works_as_written(project: Project, receiver: Receiver) -> None:
    [said] = printed(project.root, of_page("docs/how-to/trace.md"), COLLECTOR=receiver.url)
    assert "2 to create" in said
    assert receiver.resource()["team"] == "crm"
    page = (REPOSITORY / "docs" / "how-to" / "trace.md").read_text(encoding="utf-8")
    for name in (*points_of_an_apply(project, receiver), *(one.key for one in Attribute), *SpanName):
        assert name in page or name == SpanName.CALL, name


def points_of_an_apply(project: Project, receiver: Receiver) -> list[str]:
    project.run("apply", "sandbox", "--yes", **{ENDPOINT: receiver.url})
    return [*receiver.points()]


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        ("takes", ""),
        ("hangs", "the receiver did not take them within 2 s"),
        ("is busy", "the receiver did not take them within 2 s"),
        ("breaks", "the receiver answered 500"),
        ("redirects", "the receiver answered 307"),
        ("echoes", "the receiver answered 400"),
    ],
)
@pytest.mark.promise("private")
def test_no_receiver_changes_a_run(
    project: Project, receiver: Receiver, behaviour: str, problem: str
) -> None:
    """A run beside a receiver that hangs ends while it still hangs."""
    receiver.behaviour = behaviour
    said = project.run(
        "plan", "sandbox", "--detailed-exitcode", "-v", code=2, **{ENDPOINT: receiver.url}
    ).said
    warned = [line for line in said.splitlines() if line.startswith(WARNING)]
    expected = [
        f"{WARNING}{one} were not exported: {problem}. The run is not affected."
        for one in ("traces", "metrics")
    ]
    assert sorted(warned) == (sorted(expected) if problem else [])
    assert {path for path, _, _ in receiver.got} == {TRACES, METRICS}


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({ENDPOINT: "http://127.0.0.1:1/hidden"}, "traces were not exported: the receiver did not take them"),
        ({ENDPOINT: "hidden"}, "traces were not exported: the receiver can't be reached"),
        (
            {ENDPOINT: "x", "OTEL_EXPORTER_OTLP_PROTOCOL": "hidden"},
            "is off: OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf",
        ),
        ({"OTEL_TRACES_EXPORTER": "hidden"}, "is off: OTEL_TRACES_EXPORTER must be otlp or none"),
        (
            {ENDPOINT: "x", "OTEL_BSP_MAX_QUEUE_SIZE": "-1"},
            "is off: a variable has a value that can't be used (ValueError)",
        ),
    ],
)
def test_a_variable_that_is_wrong_is_a_warning(
    project: Project, environ: dict[str, str], problem: str
) -> None:
    said = project.run("plan", "sandbox", **environ).said
    assert f"{WARNING}{problem}" in said
    assert "hidden" not in said


def test_a_propagator_that_is_unknown_is_a_warning(project: Project) -> None:
    """It is looked up when the library is loaded."""
    environ = {ENDPOINT: "x", "OTEL_PROPAGATORS": "hidden"}
    said = project.run_in_new_interpreter("plan", "sandbox", **environ).said
    assert f"{WARNING}is off: a variable has a value that can't be used (ValueError)" in said
    assert "hidden" not in said


def test_without_the_extra_a_warning_names_it(project: Project, tmp_path: Path) -> None:
    absent = tmp_path / "absent" / "opentelemetry"
    absent.mkdir(parents=True)
    (absent / "__init__.py").write_text("raise ImportError\n")
    environ = {"PYTHONPATH": str(absent.parent), ENDPOINT: "http://127.0.0.1:1"}
    said = project.run_in_new_interpreter("plan", "sandbox", **environ).said
    assert said.count(WARNING) == 1
    assert "it needs the extra: pip install 'criteo-reconciler[otel]'" in said
    assert "2 to create" in said


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        (("plan", "sandbox"), {}),
        (("plan", "--help"), {ENDPOINT: "http://127.0.0.1:1"}),
        (("--help",), {ENDPOINT: "http://127.0.0.1:1"}),
    ],
)
def test_nothing_is_loaded_that_nobody_asked_for(
    project: Project, arguments: tuple[str, ...], environ: dict[str, str]
) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        cwd=project.root,
        env=clean | environ,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.partition("LOADED")[2].split()
    assert "reconciler.cli" in loaded
    assert not {one.partition(".")[0] for one in loaded} & {"opentelemetry", "requests", "google"}
