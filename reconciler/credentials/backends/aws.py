"""`aws-sm:NAME_OR_ARN#FIELD`: a secret in AWS Secrets Manager, or one field of its JSON.

The lock consists of versions of the same secret, so no other service is needed. Messages never quote
responses of AWS. AWS allows about 100 versions in 24 hours, and renewing a token creates two: renew at most
every half hour.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

import httpx

from reconciler.core.errors import AuthenticationError, ConfigurationError
from reconciler.core.secret import Secret
from reconciler.credentials import secret_lock as lease
from reconciler.credentials.backends.base import MissingSecretError
from reconciler.credentials.backends.optional import require_extra
from reconciler.credentials.questions import LATE, MISREAD, SECONDS, UNREADABLE, kind

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_secretsmanager.type_defs import GetSecretValueResponseTypeDef

NEWEST = "RECONCILER-LEASE"
"""The label of the newest lock version. It stays on that version after the lock ended."""
HELD = "RECONCILER-HELD"
"""The label of a lock that is held."""
_LOGIN = "log in to AWS (AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) and run again"
_RIGHTS = (
    "allow GetSecretValue; to keep a refresh token there also DescribeSecret, PutSecretValue and "
    "UpdateSecretVersionStage, and the key it is encrypted with"
)
_LATER = "run again in a while"
_NETWORK = "check AWS_REGION, AWS_ENDPOINT_URL and the network"
_SLOW = f"{_NETWORK}, then run again"
_KINDS = {
    "AccessDeniedException": ("refused: no permission", _RIGHTS),
    "AccessDenied": ("refused: no permission", _RIGHTS),
    "DecryptionFailure": ("refused: no permission to decrypt", _RIGHTS),
    "EncryptionFailure": ("refused: no permission to encrypt", _RIGHTS),
    "UnrecognizedClientException": ("does not know these credentials", _LOGIN),
    "InvalidSignatureException": ("does not know these credentials", _LOGIN),
    "InvalidClientTokenId": ("does not know these credentials", _LOGIN),
    "ExpiredTokenException": ("says the credentials have expired", _LOGIN),
    "ExpiredToken": ("says the credentials have expired", _LOGIN),
    "ThrottlingException": ("refused: too many requests", _LATER),
    "LimitExceededException": (
        "refused: too many versions of the secret within 24 hours",
        "run less often: each renewal of a token makes two versions, and AWS keeps about 100 a day",
    ),
    "InternalServiceError": ("failed", _LATER),
    "InvalidRequestException": (
        "refused the request in the secret's state",
        "is it scheduled for deletion, or managed by another service?",
    ),
    "NoCredentialsError": ("can't be asked: no AWS credentials", _LOGIN),
    "PartialCredentialsError": ("can't be asked: AWS credentials in part", _LOGIN),
    "ProfileNotFound": ("can't be asked: no such AWS_PROFILE", _LOGIN),
    "NoRegionError": ("can't be asked: no AWS region", "export AWS_REGION"),
    "EndpointConnectionError": ("can't be reached", _NETWORK),
    "ConnectionClosedError": ("broke the connection", _LATER),
    "ProxyError": ("is not reached by the proxy", "check HTTPS_PROXY and NO_PROXY"),
    "ReadTimeout": (LATE, _SLOW),
    "WriteTimeout": (LATE, _SLOW),
    "RedirectedError": ("answered with a redirect, which is not followed", _NETWORK),
    "SSLError": ("has no certificate that is trusted", "name the authorities' file in AWS_CA_BUNDLE"),
} | UNREADABLE
_OTHER = ("can't be asked", "check the AWS_… variables; try `aws secretsmanager describe-secret`")


class VersionExistsError(Exception):
    """Another version has the same request token. Never leaves the backend."""


@dataclass(frozen=True, slots=True)
class _Place:
    """One secret, and the field in it; "" for the whole secret."""

    reference: str
    id: str
    field: str


class AwsBackend:
    """Reads the variables of the AWS command line: AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL and so on."""

    def __init__(
        self, environ: Mapping[str, str], now: lease.Now = lease.utc_now, seconds: float = SECONDS
    ) -> None:
        """`seconds` is the longest time for one request and its response."""
        self._environ = environ
        self._now = now
        self._seconds = seconds

    def fetch(self, name: str) -> Secret:
        place = _place(name)
        text = self._current(place)
        value = _fields(place, text).get(place.field) if place.field else text
        if not isinstance(value, str) or not value.strip():
            raise AuthenticationError(
                f"{place.reference} holds no text",
                remedy="put the secret there, or name its field in the manifest: aws-sm:NAME#FIELD",
            )
        return Secret(value.strip())

    def store(self, name: str, secret: Secret) -> None:
        """Write a new current version. Other fields of a JSON object stay."""
        place = _place(name)
        text = secret.reveal()
        if place.field:
            text = json.dumps({**self._other_fields(place), place.field: text})
        with _translated_errors(place.reference):
            self._client.put_secret_value(SecretId=place.id, SecretString=text)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Lock the secret for all machines that use this tool."""
        place = _place(name)
        version = self._take(place)
        try:
            yield
        finally:
            with suppress(AuthenticationError), _translated_errors(place.reference):
                self._client.update_secret_version_stage(
                    SecretId=place.id, VersionStage=HELD, RemoveFromVersionId=version
                )

    def _take(self, place: _Place) -> str:
        """Return the version of our lock.

        Of all runs that read the same newest lock, one can create the next.

        AWS refuses a second version with the same request token and other content.
        """
        now = self._now()
        version = _next(self._newest(place, now))
        written = json.dumps(lease.begin(now).written())
        try:
            with _translated_errors(place.reference):
                self._client.put_secret_value(
                    SecretId=place.id,
                    ClientRequestToken=version,
                    SecretString=written,
                    VersionStages=[NEWEST, HELD],
                )
        except VersionExistsError:
            raise lease.lost(place.reference) from None
        if self._value(place, version).get("SecretString") != written:
            raise lease.lost(place.reference)
        return version

    def _newest(self, place: _Place, now: datetime) -> str:
        """Return the version that the next lock follows: the newest lock, or the current version.

        Raises LockedError.
        """
        with _translated_errors(place.reference):
            answer = self._client.describe_secret(SecretId=place.id)
        _must_be_aws(place, answer)
        stages = answer.get("VersionIdsToStages", {})
        by_stage = {stage: version for version, named in stages.items() for stage in named}
        newest = by_stage.get(NEWEST)
        if newest and by_stage.get(HELD) == newest:
            written = self._value(place, newest).get("SecretString", "")
            lease.refuse_while_held(place.reference, _object(written), now)
        return newest or by_stage.get("AWSCURRENT", "")

    def _current(self, place: _Place) -> str:
        """Return the text of the current version.

        AWS makes the first version current, even if it is a lock.
        """
        with _translated_errors(place.reference):
            answer = self._client.get_secret_value(SecretId=place.id)
        _must_be_aws(place, answer)
        if NEWEST in answer.get("VersionStages", ()):
            raise MissingSecretError(f"{place.reference} has no value yet", remedy="put the secret there")
        return answer.get("SecretString", "")

    def _other_fields(self, place: _Place) -> Mapping[str, object]:
        try:
            return _fields(place, self._current(place))
        except MissingSecretError:
            return {}

    def _value(self, place: _Place, version: str) -> "GetSecretValueResponseTypeDef":
        with _translated_errors(place.reference):
            return self._client.get_secret_value(SecretId=place.id, VersionId=version)

    @cached_property
    def _client(self) -> "SecretsManagerClient":
        from reconciler.credentials.backends.aws_session import bounded

        environ = self._environ
        return bounded(environ, self._seconds).client(
            "secretsmanager",
            endpoint_url=environ.get("AWS_ENDPOINT_URL_SECRETS_MANAGER") or environ.get("AWS_ENDPOINT_URL"),
        )


def _place(name: str) -> _Place:
    identity, _, field = name.partition("#")
    if not identity:
        raise ConfigurationError(
            "an `aws-sm:` reference names no secret", remedy="write aws-sm:NAME in the manifest"
        )
    return _Place(f"aws-sm:{name}", identity, field)


def _must_be_aws(place: _Place, answer: Mapping[str, object]) -> None:
    if "ARN" not in answer:
        raise _not_aws(place.reference)


def _next(version: str) -> str:
    return hashlib.sha256(f"reconciler lease after {version}".encode()).hexdigest()


def _object(text: str) -> dict[str, object]:
    """Return the JSON object, or an empty one."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}


def _fields(place: _Place, text: str) -> Mapping[str, object]:
    fields = _object(text)
    if not fields and text.strip() != "{}":
        raise AuthenticationError(
            f"{place.reference} is no JSON object with fields",
            remedy="leave out #FIELD if the whole secret is meant",
        )
    return fields


@contextmanager
def _translated_errors(reference: str) -> Iterator[None]:
    """Raise errors of the library as VersionExistsError, MissingSecretError or AuthenticationError."""
    with require_extra("aws-sm", "aws"):
        from botocore.exceptions import BotoCoreError, ClientError
    try:
        yield
    except ClientError as error:
        raise _error_for(reference, error) from None
    except (BotoCoreError, httpx.RequestError, httpx.InvalidURL, OSError, ValueError) as error:
        problem, remedy = _KINDS.get(kind(error), _OTHER)
        raise AuthenticationError(f"{reference}: AWS {problem}", remedy=remedy) from None
    except MISREAD:
        raise _not_aws(reference) from None


def _not_aws(reference: str) -> AuthenticationError:
    return AuthenticationError(f"{reference}: what answers is no AWS Secrets Manager", remedy=_NETWORK)


def _error_for(reference: str, error: "ClientError") -> Exception:
    kind = error.response.get("Error", {}).get("Code", "")
    if kind == "ResourceExistsException":
        return VersionExistsError()
    if kind == "ResourceNotFoundException":
        return MissingSecretError(
            f"there is no secret {reference}, or it has no value",
            remedy="make it (`aws secretsmanager create-secret`), or correct AWS_REGION or the reference in "
            "credentials.yaml",
        )
    problem, remedy = _KINDS.get(kind, _OTHER)
    return AuthenticationError(f"{reference}: AWS {problem}", remedy=remedy)
