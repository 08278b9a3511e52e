"""A secret becomes text by `reveal()` only, and is read only from private places."""

import copy
import json
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path
from pprint import pformat
from traceback import TracebackException

import orjson
import pytest
from support.fakes.secret_backends import places_of
from support.fakes.state import MemoryStore

from reconciler.core.errors import AuthenticationError, ConfigurationError
from reconciler.core.model import SEALING_KEY
from reconciler.credentials import Secret

pytestmark = pytest.mark.promise("private")

VALUE = "s3cr+t/value=="


@dataclass(frozen=True)
class Holder:
    secret: Secret


def fetch(reference: str, environ: dict[str, str], root: Path) -> str:
    return places_of(environ, root, MemoryStore().sealed(), SEALING_KEY).fetch(reference).reveal()


def test_no_way_of_writing_shows_it() -> None:
    secret = Secret(VALUE)
    written = [
        str(secret), repr(secret), f"{secret}", f"{secret!r:>40}", "%s" % secret, "{}".format(secret),  # noqa: UP031, UP032
        repr(Holder(secret)), repr([secret]), repr({"a": secret}), ascii(secret), pformat([Holder(secret)]),
        format(secret, ">40"), format(secret, "x"), "%r" % secret, repr(ValueError(secret)),  # noqa: UP031
    ]  # fmt: skip
    assert all(VALUE not in text and "<secret>" in text for text in written)
    assert secret.reveal() == VALUE


def test_no_way_of_encoding_takes_it() -> None:
    secret = Secret(VALUE)
    ways = (
        pickle.dumps, copy.copy, copy.deepcopy, json.dumps, orjson.dumps, vars, bytes, list, len, int,
        Secret.__getstate__, lambda one: asdict(Holder(one)), "".join,
        lambda one: orjson.dumps(Holder(one)), lambda one: json.dumps({one: 1}), lambda one: one + "",
        lambda one: one < one, lambda one: one < VALUE, lambda one: VALUE in one, lambda one: one[0],
    )  # fmt: skip
    for encode in ways:
        with pytest.raises(TypeError) as caught:
            encode(secret)
        assert VALUE not in str(caught.value)


def test_comparing_it_shows_nothing() -> None:
    secret = Secret(VALUE)
    assert secret == secret
    assert secret != Secret(VALUE)
    with pytest.raises(AssertionError) as caught:
        assert Holder(secret) == Holder(Secret("other"))
    assert VALUE not in str(caught.value)


def test_a_traceback_with_variables_shows_nothing() -> None:
    def fail(secret: Secret) -> None:
        raise ValueError(secret)

    with pytest.raises(ValueError, match="<secret>") as caught:
        fail(Secret(VALUE))
    text = "".join(TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "secret = <secret>" in text
    assert VALUE not in text


def test_it_has_no_parts_to_look_through() -> None:
    secret = Secret(VALUE)
    with pytest.raises(TypeError):
        iter(secret)  # type: ignore[call-overload]
    assert secret != VALUE
    assert not hasattr(secret, "__dict__")


def test_a_variable_holds_a_secret(tmp_path: Path) -> None:
    assert fetch("env:KEY", {"KEY": f"{VALUE}\n"}, tmp_path) == VALUE


@pytest.mark.parametrize(("environ", "state"), [({}, "not set"), ({"KEY": " "}, "empty")])
def test_a_missing_variable_is_named(environ: dict[str, str], state: str, tmp_path: Path) -> None:
    with pytest.raises(AuthenticationError, match=f"KEY is {state}") as caught:
        fetch("env:KEY", environ, tmp_path)
    assert "export KEY" in caught.value.remedy


def written(path: Path, content: bytes, mode: int) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_file_is_relative_to_the_project_and_loses_its_line_end(tmp_path: Path) -> None:
    written(tmp_path / "secret", f"{VALUE}\r\n".encode(), 0o600)
    assert fetch("file:secret", {}, tmp_path) == VALUE
    assert fetch(f"file:{tmp_path}/secret", {}, Path("/")) == VALUE


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_file_open_to_others_is_refused(mode: int, tmp_path: Path) -> None:
    written(tmp_path / "secret", VALUE.encode(), mode)
    with pytest.raises(AuthenticationError, match=f"{mode:04o}") as caught:
        fetch("file:secret", {}, tmp_path)
    assert caught.value.remedy == "chmod 600 secret"
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_file_without_text_is_refused(content: bytes, tmp_path: Path) -> None:
    written(tmp_path / "secret", content, 0o600)
    with pytest.raises(AuthenticationError, match="holds no text"):
        fetch("file:secret", {}, tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuthenticationError, match="secret can't be read: No such file"):
        fetch("file:secret", {}, tmp_path)


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("env:", "the reference `env:` names nothing"),
        ("aws-sm:", "the reference `aws-sm:` names nothing"),
        (VALUE, "this is not a secret reference"),
        (f"{VALUE}:x", "this is not a secret reference"),
    ],
)
def test_other_references_are_refused_and_never_quoted(reference: str, problem: str, tmp_path: Path) -> None:
    """A pasted secret isn't a reference, and must not end up in a message."""
    with pytest.raises(ConfigurationError) as caught:
        fetch(reference, {}, tmp_path)
    assert caught.value.problem.startswith(problem)
    assert VALUE not in str(caught.value)
    assert caught.value.remedy.startswith("use env:NAME, file:PATH, ")


@pytest.mark.parametrize("reference", ["env:KEY", "command:pass show criteo"])
def test_a_place_that_cannot_be_written_keeps_no_token(reference: str, tmp_path: Path) -> None:
    places = places_of({}, tmp_path, MemoryStore().sealed(), SEALING_KEY)
    with pytest.raises(AuthenticationError, match="can't be written") as caught:
        places.writable_backend(reference)
    assert "use state:NAME" in caught.value.remedy
