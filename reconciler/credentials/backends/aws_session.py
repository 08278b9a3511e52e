"""A boto3 session with limits for time and size of every response, also of logins to AWS.

botocore sends a request itself unless a handler of `before-send` returns a response. This handler always
does.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
import botocore.session
import httpx
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from reconciler.credentials.questions import Questions

ATTEMPTS = 2


def bounded(environ: Mapping[str, str], seconds: float) -> boto3.Session:
    """Return the session. A profile applies only if no access key is set, as in AWS's own tools."""
    keys = environ.get("AWS_ACCESS_KEY_ID")
    core = botocore.session.get_session()
    core.set_config_variable("retry_mode", "standard")
    core.set_config_variable("max_attempts", ATTEMPTS)
    session = boto3.Session(
        aws_access_key_id=keys,
        aws_secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY") if keys else None,
        aws_session_token=environ.get("AWS_SESSION_TOKEN") if keys else None,
        region_name=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"),
        profile_name=None if keys else environ.get("AWS_PROFILE"),
        botocore_session=core,
    )
    authorities = environ.get("AWS_CA_BUNDLE") or core.get_config_variable("ca_bundle") or ""
    send: Callable[..., Any] = _Sender(Questions(authorities, seconds))
    session.events.register("before-send", send)
    return session


class _Sender:
    """Raises errors of botocore for requests that it may repeat. Every other error ends the request."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    def __call__(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        url = str(request.url)
        try:
            answer = self._questions.ask(
                str(request.method), url, list(request.headers.items()), request.body
            )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise EndpointConnectionError(endpoint_url=url, error=error) from error
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            raise ConnectionClosedError(endpoint_url=url, error=error) from error
        headers = HTTPHeaders.from_dict(answer.headers)
        return AWSResponse(url, answer.status_code, headers, _Body(answer.content))


class _Body(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.read()
