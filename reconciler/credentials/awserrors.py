"""Errors for what AWS refuses, in our words: of its answer, only the kind is reported."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from reconciler.core.errors import AuthenticationError
from reconciler.credentials.backends.base import MissingSecretError
from reconciler.credentials.backends.optional import require_extra
from reconciler.credentials.questions import LATE, MISREAD, UNREADABLE, kind

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

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
    """Another version has that token. Never leaves the backend."""


@contextmanager
def asking(reference: str) -> Iterator[None]:
    """Around calls of the library. Raises TakenError, MissingSecretError and AuthenticationError."""
    with require_extra("aws-sm", "aws"):
        from botocore.exceptions import BotoCoreError, ClientError
    try:
        yield
    except ClientError as error:
        raise _refused(reference, error) from None
    except (BotoCoreError, httpx.RequestError, httpx.InvalidURL, OSError, ValueError) as error:
        problem, remedy = _KINDS.get(kind(error), _OTHER)
        raise AuthenticationError(f"{reference}: AWS {problem}", remedy=remedy) from None
    except MISREAD:
        raise no_aws(reference) from None


def no_aws(reference: str) -> AuthenticationError:
    return AuthenticationError(f"{reference}: what answers is no AWS Secrets Manager", remedy=_NETWORK)


def _refused(reference: str, error: "ClientError") -> Exception:
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
