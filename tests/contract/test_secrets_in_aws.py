"""`aws-sm:` updates the current version, keeps all fields, and repeats no text of AWS.

The server is moto's; refusals that it doesn't know come from one that refuses everything.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, Response, jsonify
from support.fakes import wsgi_server as loopback
from support.fakes.secret_backends import administrator, aws, leading_to

from reconciler.core.errors import AuthenticationError, ConfigurationError, LockedError
from reconciler.core.secret import Secret
from reconciler.credentials.backends.aws import HELD, NEWEST, AwsBackend
from reconciler.credentials.backends.base import MissingSecretError
from reconciler.credentials.secret_lock import LIFE, utc_now

pytestmark = pytest.mark.promise("private")

VALUE = "a-refresh-token"
TEXT = "AWS says arn:aws:iam::123456789012:user/somebody"


@pytest.fixture
def environ() -> Iterator[dict[str, str]]:
    with aws() as environ:
        yield environ


def backend(environ: Mapping[str, str], after: timedelta = timedelta(0), **more: str) -> AwsBackend:
    return AwsBackend({**environ, **more}, lambda: utc_now() + after)


def create(environ: Mapping[str, str], name: str, value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    arn = administrator(environ).create_secret(Name=name, SecretString=text)["ARN"]
    return str(arn)


def stages(environ: Mapping[str, str], name: str) -> dict[str, list[str]]:
    described: dict[str, Any] = administrator(environ).describe_secret(SecretId=name)
    return {version: sorted(named) for version, named in described["VersionIdsToStages"].items()}


def refused(environ: Mapping[str, str], name: str = "criteo") -> AuthenticationError:
    with pytest.raises(AuthenticationError) as caught:
        backend(environ).fetch(name)
    text = f"{caught.value!r} {caught.value.remedy}"
    assert "123456789012" not in text
    assert "a-secret-access-key" not in text
    assert caught.value.remedy
    return caught.value


def test_a_name_and_an_arn_are_one_secret(environ: dict[str, str]) -> None:
    arn = create(environ, "criteo", {"refresh": VALUE})
    for name in ("criteo#refresh", f"{arn}#refresh"):
        assert backend(environ).fetch(name).reveal() == VALUE
    with backend(environ).lock("criteo"), pytest.raises(LockedError), backend(environ).lock(arn):
        pytest.fail("it is the same")


def test_the_other_fields_stay(environ: dict[str, str]) -> None:
    create(environ, "criteo", {"client": "stays", "refresh": "old"})
    with backend(environ).lock("criteo#refresh"):
        backend(environ).store("criteo#refresh", Secret(VALUE))
    assert json.loads(backend(environ).fetch("criteo").reveal()) == {"client": "stays", "refresh": VALUE}


def test_a_lock_leaves_the_current_version_current(environ: dict[str, str]) -> None:
    create(environ, "criteo", VALUE)
    current = next(iter(stages(environ, "criteo")))
    with backend(environ).lock("criteo"):
        assert backend(environ).fetch("criteo").reveal() == VALUE
        assert sorted(stages(environ, "criteo").values()) == [["AWSCURRENT"], [HELD, NEWEST]]
    for _ in range(3):
        with backend(environ).lock("criteo"):
            """Each follows the one before."""
    assert sorted(filter(None, stages(environ, "criteo").values())) == [["AWSCURRENT"], [NEWEST]]
    assert stages(environ, "criteo")[current] == ["AWSCURRENT"]


def test_a_killed_holder_is_followed_once_its_lease_is_over(environ: dict[str, str]) -> None:
    create(environ, "criteo", VALUE)
    killed = backend(environ).lock("criteo")
    killed.__enter__()
    early, late = backend(environ, LIFE - timedelta(seconds=5)), backend(environ, LIFE + timedelta(seconds=1))
    with pytest.raises(LockedError, match="until"), early.lock("criteo"):
        pytest.fail("it still holds")
    with late.lock("criteo"):
        killed.__exit__(None, None, None)
        with pytest.raises(LockedError), late.lock("criteo"):
            pytest.fail("who was late gave back what was another's")


def test_a_writer_with_an_older_lease_cannot_replace_it(environ: dict[str, str]) -> None:
    """Two see the same newest lease; the second has lost even if the first has given it back meanwhile."""

    class Slow(AwsBackend):
        def _newest(self, *arguments: Any) -> str:
            seen = super()._newest(*arguments)
            with backend(environ).lock("criteo"):
                """Somebody faster came and went."""
            return seen

    create(environ, "criteo", VALUE)
    with pytest.raises(LockedError, match="has just taken"), Slow(environ).lock("criteo"):
        pytest.fail("it read what is no longer so")


def test_a_secret_that_is_not_there_is_found_by_the_lock(environ: dict[str, str]) -> None:
    with pytest.raises(MissingSecretError, match="no secret aws-sm:criteo"), backend(environ).lock("criteo"):
        pytest.fail("there is nothing")


@pytest.mark.parametrize("value", ["plain text", "[]", '"text"', "[" * 60_000])
def test_a_field_of_what_has_none_is_refused_and_not_replaced(environ: dict[str, str], value: str) -> None:
    create(environ, "criteo", value)
    assert "no JSON object" in refused(environ, "criteo#refresh").problem
    with pytest.raises(AuthenticationError, match="no JSON object"):
        backend(environ).store("criteo#refresh", Secret(VALUE))
    assert backend(environ).fetch("criteo").reveal() == value


def test_bytes_are_no_text(environ: dict[str, str]) -> None:
    administrator(environ).create_secret(Name="criteo", SecretBinary=b"\xff")
    assert "holds no text" in refused(environ).problem
    with pytest.raises(AuthenticationError, match="no JSON object"):
        backend(environ).store("criteo#refresh", Secret(VALUE))


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("AccessDeniedException", "no permission"),
        ("DecryptionFailure", "to decrypt"),
        ("UnrecognizedClientException", "does not know these credentials"),
        ("ExpiredTokenException", "expired"),
        ("ThrottlingException", "too many requests"),
        ("LimitExceededException", "too many versions"),
        ("InvalidRequestException", "in the secret's state"),
        ("SomethingNewException", "can't be asked"),
    ],
)
def test_each_refusal_has_its_words(kind: str, problem: str) -> None:
    app = Flask("aws")

    @app.post("/")
    def refuse() -> tuple[Response, int]:
        return jsonify(__type=kind, message=TEXT), 400

    with loopback.serving(app) as url:
        assert problem in refused(leading_to(url)).problem
        with pytest.raises(AuthenticationError, match=problem), backend(leading_to(url)).lock("criteo"):
            pytest.fail("it can't be taken")


def test_what_cannot_be_reached_is_not_repeated() -> None:
    assert "can't be reached" in refused(leading_to("http://127.0.0.1:1")).problem
    assert "can't be asked" in refused(leading_to("nonsense")).problem


def test_what_is_missing_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/no/such/file")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    url = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    assert "no AWS region" in refused(url).problem
    assert "no AWS credentials" in refused({**url, "AWS_REGION": "eu-west-1"}).problem
    assert "no such AWS_PROFILE" in refused({**url, "AWS_PROFILE": "nobody"}).problem


def test_a_reference_to_no_secret_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        backend({}).fetch("#field")


def test_the_library_is_asked_for(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("boto3", "botocore.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)
    error = refused(environ)
    assert (
        f"{error.problem}: {error.remedy}" == "aws-sm: needs the extra: pip install 'criteo-reconciler[aws]'"
    )
