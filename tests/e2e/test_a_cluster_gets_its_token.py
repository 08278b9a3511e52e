"""The token of a Spark Connect server: sent by TLS only, and nowhere else to be seen.

Skipped without Java, or where `make spark` was not run.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.databases import CERTIFICATES
from support.spark_server import INSTALLED, spark_server

from reconciler.core.errors import ConfigurationError
from reconciler.core.secret import Secret
from reconciler.members.spark.session import open_cluster

pytestmark = pytest.mark.skipif(not INSTALLED, reason="Spark or Java is not installed: `make spark`")
TOKEN = "token-marker-0123456789"
SERVICE = "spark.connect.SparkConnectService"


def refusal(url: str, folder: Path, token: str) -> str:
    with (
        pytest.raises(ConfigurationError) as refused,
        open_cluster(url, folder, lambda: None, Secret(token)),
    ):
        pass
    assert "marker" not in repr(refused.value)
    return f"{refused.value} → {refused.value.remedy}"


@contextmanager
def double(received: list[Any]) -> Iterator[int]:
    """Serve by TLS: what a client asks when it opens and closes a session. Yields the port."""
    import grpc
    from pyspark.sql.connect.proto import base_pb2 as proto

    def refuse(context: grpc.ServicerContext) -> None:
        received.append(dict(context.invocation_metadata()).get("authorization"))
        if received[-1] != f"Bearer {TOKEN}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, TOKEN)

    def analysed(request: Any, context: grpc.ServicerContext) -> Any:
        refuse(context)
        answer = proto.AnalyzePlanResponse(session_id=request.session_id)
        answer.spark_version.version = "4.3.0"
        return answer

    def released(request: Any, context: grpc.ServicerContext) -> Any:
        refuse(context)
        return proto.ReleaseSessionResponse(session_id=request.session_id)

    handlers = {
        "AnalyzePlan": grpc.unary_unary_rpc_method_handler(
            analysed, proto.AnalyzePlanRequest.FromString, proto.AnalyzePlanResponse.SerializeToString
        ),
        "ReleaseSession": grpc.unary_unary_rpc_method_handler(
            released, proto.ReleaseSessionRequest.FromString, proto.ReleaseSessionResponse.SerializeToString
        ),
    }
    pair = ((CERTIFICATES / "key.pem").read_bytes(), (CERTIFICATES / "good.pem").read_bytes())
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()


def test_a_token_is_sent_by_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import grpc

    trusted, authority = grpc.ssl_channel_credentials, (CERTIFICATES / "authority.pem").read_bytes()
    monkeypatch.setattr(grpc, "ssl_channel_credentials", lambda: trusted(authority))
    received: list[Any] = []
    with double(received) as port:
        url = f"sc://localhost:{port}/;use_ssl=true"
        with open_cluster(url, tmp_path, lambda: None, Secret(TOKEN)) as cluster:
            assert cluster.session.version == "4.3.0"
        assert set(received) == {f"Bearer {TOKEN}"}
        assert "localhost refused the token, or needs one (UNAUTHENTICATED) → check `token`" in refusal(
            url, tmp_path, "another-marker"
        )


def test_a_server_that_asks_for_a_token_gets_it_and_writes_it_nowhere(tmp_path: Path) -> None:
    with spark_server(tmp_path, TOKEN) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        for token in ("", "another-marker"):
            assert "localhost refused the token, or needs one" in refusal(url, tmp_path, token)
        with open_cluster(url, tmp_path, lambda: None, Secret(TOKEN)) as cluster:
            assert cluster.session.range(3).count() == 3
            assert not [one for one in cluster.session.conf.getAll.values() if TOKEN in one]
        assert "range" in server.logged().lower()
        assert TOKEN not in server.logged()
    assert not [name for name, value in os.environ.items() if TOKEN in value]
