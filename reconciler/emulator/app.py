"""The emulator as a WSGI app: Flask in, Flask out; every decision is the gate's."""

from collections.abc import Callable
from functools import partial

import flask
import orjson
from werkzeug.exceptions import HTTPException

from reconciler.emulator.consentpage import Page
from reconciler.emulator.operations import OPERATIONS, Operation
from reconciler.emulator.pipeline import CONSENT_PATH, TOKEN_PATH, RequestPipeline
from reconciler.emulator.request_checks import IncomingRequest
from reconciler.emulator.responses import Answer


def build(gate: RequestPipeline) -> flask.Flask:
    app = flask.Flask(__name__, static_folder=None)
    app.config["PROPAGATE_EXCEPTIONS"] = True  # silence must reach the transport or the server
    app.url_map.merge_slashes = False
    app.add_url_rule(TOKEN_PATH, "token", partial(_token, gate), methods=["POST"])
    app.add_url_rule(
        CONSENT_PATH,
        "consent",
        partial(_consent, gate),
        methods=["GET", "POST"],
        provide_automatic_options=False,
    )
    for operation in OPERATIONS:
        app.add_url_rule(
            f"/<version>/retail-media{operation.path}",
            operation.id,
            _view(gate, operation),
            methods=[operation.method],
            provide_automatic_options=False,
        )
    app.register_error_handler(HTTPException, partial(_stray, gate))
    return app


def _view(gate: RequestPipeline, operation: Operation) -> Callable[..., flask.Response]:
    def view(version: str, account_id: str = "", segment_id: str = "") -> flask.Response:
        request = flask.request
        incoming = IncomingRequest(
            path=request.path,
            version=version,
            account_id=account_id,
            segment_id=segment_id,
            authorization=request.headers.get("authorization", ""),
            media_type=request.mimetype,
            query=request.args.to_dict(flat=False),
            body=request.get_data(cache=False),
        )
        return _response(gate.call(operation, incoming))

    return view


def _token(gate: RequestPipeline) -> flask.Response:
    return _response(gate.token(flask.request.form.to_dict(flat=False)))


def _consent(gate: RequestPipeline) -> flask.Response:
    """A form in a query is no answer of a person: each method has its own place for parameters."""
    request = flask.request
    given = request.form if request.method == "POST" else request.args
    return _rendered(gate.consent(request.method, given.to_dict(flat=False)))


def _stray(gate: RequestPipeline, error: HTTPException) -> flask.Response:
    request = flask.request
    title = "There is no such resource" if error.code == 404 else error.name
    return _response(gate.stray(request.method, request.path, error.code or 500, title))


def _rendered(page: Page) -> flask.Response:
    """Templates escape whatever they are given."""
    body = flask.render_template(page.template, **page.values) if page.template else ""
    return flask.Response(body, status=page.status, headers=dict(page.headers), mimetype="text/html")


def _response(answer: Answer) -> flask.Response:
    headers = {"content-type": "application/json", **answer.headers}
    body = None if answer.body is None else orjson.dumps(answer.body)
    response = flask.Response(body, status=answer.status, headers=headers)
    if body is None:
        del response.headers["content-type"]
    return response
