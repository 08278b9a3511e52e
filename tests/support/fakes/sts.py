"""AWS's token service, as far as a job uses it: AssumeRoleWithWebIdentity, as AWS documents it.

It is served over TLS, as stores ask for nothing else, with the certificate of tests/faults/certificates.
"""

import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from support.fakes import wsgi_server as loopback

CERTIFICATES = Path(__file__).parents[2] / "faults/certificates"
ROLE = "arn:aws:iam::123456789012:role/audiences"
IDENTITY = "an.identity.token"
ISSUED = {
    "AWS_ACCESS_KEY_ID": "ASIATESTTESTTESTTEST",
    "AWS_SECRET_ACCESS_KEY": "a-temporary-secret",
    "AWS_SESSION_TOKEN": "a-session-token",
}
_ANSWER = """\
<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>{AWS_ACCESS_KEY_ID}</AccessKeyId><SecretAccessKey>{AWS_SECRET_ACCESS_KEY}</SecretAccessKey>
<SessionToken>{AWS_SESSION_TOKEN}</SessionToken><Expiration>2120-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>
"""


@contextmanager
def serving(asked: list[str]) -> Iterator[dict[str, str]]:
    """Yield the environment for a job's tools. `asked` lists the role of each granted request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "good.pem", CERTIFICATES / "key.pem")
    with loopback.serving(_application(asked), context) as server:
        yield {"AWS_ENDPOINT_URL_STS": server, "SSL_CERT_FILE": str(CERTIFICATES / "authority.pem")}


def _application(asked: list[str]) -> Callable[..., Iterable[bytes]]:
    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        said = {name: value for name, [value] in parse_qs(environ["QUERY_STRING"]).items()}
        wanted = {"Action": "AssumeRoleWithWebIdentity", "RoleArn": ROLE, "WebIdentityToken": IDENTITY}
        if not wanted.items() <= said.items():
            start("403 Forbidden", [])
            return [b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"]
        asked.append(said["RoleArn"])
        start("200 OK", [("Content-Type", "text/xml")])
        return [_ANSWER.format(**ISSUED).encode()]

    return answer
