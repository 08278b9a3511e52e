"""A session for hvac with limits for time and size of every response."""

import io
from typing import Any

import requests
from requests.adapters import BaseAdapter

from reconciler.credentials.questions import Questions


def bounded(questions: Questions) -> requests.Session:
    """Return the session. Proxies and certificates come from `questions`, not from the environment."""
    session = requests.Session()
    session.trust_env = False
    session.headers["Accept-Encoding"] = "gzip"
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(questions))
    return session


class _Adapter(BaseAdapter):
    def __init__(self, questions: Questions) -> None:
        super().__init__()
        self._questions = questions

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        answer = self._questions.ask(str(request.method), str(request.url), request.headers, request.body)
        response = requests.Response()
        response.request, response.url = request, str(request.url)
        response.status_code = answer.status_code
        response.headers.update(answer.headers)
        response.raw = io.BytesIO(answer.content)
        return response

    def close(self) -> None:
        """Do nothing: each connection ended with its response."""
