"""Values of a request are redacted in its response; Criteo's own words stay."""

import base64

import pytest

from reconciler.core.errors import AuthenticationError
from reconciler.core.members import Identifiers
from reconciler.core.model import IdentifierType
from reconciler.core.pii import REDACTED
from reconciler.core.secret import Secret
from reconciler.criteo.redaction import DEEPEST, WITHHELD, SensitiveRequest, redact_echoes
from reconciler.criteo.token_response import read_token
from reconciler.criteo.wire_format import members_body

pytestmark = pytest.mark.promise("private")

TOKEN = Secret("eyJhbGciOi_token-42.Part")
SECRET = Secret("s/ecret+with=marks&more")
MD5 = "0cc175b9c0f1b6a831c399e269772661"
BODY = members_body(IdentifierType.CUSTOMER_ID, "add", Identifiers(["4711", "anna-in-berlin", MD5]))
NAMES, MEMBERS = SensitiveRequest((TOKEN, SECRET), b""), SensitiveRequest((TOKEN, SECRET), BODY)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        (TOKEN.reveal(), WITHHELD),
        (f"Bearer {TOKEN.reveal()}.", WITHHELD),
        (TOKEN.reveal().upper(), WITHHELD),
        (TOKEN.reveal()[4:18], WITHHELD),
        ("client_secret=s%2Fecret%2Bwith%3Dmarks%26more", WITHHELD),
        ("jane.roe+tag@example.co.uk", REDACTED),
        ("call +49 170 1234567 back", REDACTED),
        (MD5, REDACTED),
    ],
)
@pytest.mark.parametrize("sent", [NAMES, MEMBERS])
def test_secrets_and_what_looks_like_people_are_withheld_everywhere(sent, text, instead):
    body = {"data": [{"attributes": {"name": text}}], "errors": [{"code": text, "title": f"no: {text}"}]}
    cleaned = redact_echoes(body, sent)
    assert cleaned == {
        "data": [{"attributes": {"name": instead}}],
        "errors": [{"code": instead, "title": instead}],
    }


@pytest.mark.parametrize(
    "text", ["4711", "no 4711 here", "ANNA-IN-BERLIN", MD5, f"req.{MD5}", f"x{MD5[:20]}y", "x" * 501]
)
def test_members_that_a_call_carried_are_withheld_from_its_answer(text):
    assert redact_echoes({"traceId": text}, MEMBERS) == {"traceId": WITHHELD}


MAILS = Identifiers(["Joe.Bloggs+x@example.com", "+33612345678", "customer_0815-anna"])
PEOPLE = SensitiveRequest((TOKEN, SECRET), members_body(IdentifierType.EMAIL, "add", MAILS))


@pytest.mark.parametrize(
    "text",
    [
        "joe.bloggs",
        "JOE.BLOGGS",
        "joe_bloggs_x",
        "bloggs",
        "req-bloggs-7",
        "joe%2Ebloggs%2Bx",
        "joe\u200b.blo\u200bggs",
        "ｂｌｏｇｇｓ",
        base64.b64encode(b"joe.bloggs+x@example.com").decode(),
        base64.urlsafe_b64encode(b"joe.bloggs").decode().rstrip("="),
        b"joe.bloggs+x@example.com".hex(),
        b"joe.bloggs".hex().upper(),
        f"no such member: {b'joe.bloggs'.hex(' ')}.",
        f"req-{b'joe.bloggs'.hex(':')}",
        f"a{b'joe.bloggs'.hex()}",
        b"ret+with=marks".hex(),
        b"612345678".hex(),
        "612345678",
        "no. 3361234",
        "omer_0815-an",
        base64.b64encode(b"s/ecret+with=marks&more").decode(),
        "ret+with=m",
    ],
)
@pytest.mark.parametrize("key", ["traceId", "title"])
def test_parts_of_people_and_secrets_are_withheld_in_any_case_and_encoding(key, text):
    assert redact_echoes({key: text}, PEOPLE)[key] in {WITHHELD, REDACTED}


@pytest.mark.parametrize("text", ["a" * 100_000 + "@", "@" * 100_000, "+1" * 100_000, "a@b." * 50_000])
def test_a_text_that_is_too_long_is_withheld_unread(text):
    assert redact_echoes({"title": text, "traceId": text}, NAMES) == {"title": WITHHELD, "traceId": WITHHELD}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("code", "name-must-be-unique"),
        ("code", "too-many-identifiers"),
        ("title", "attributes of this operation: identifierType"),
        ("title", "Segment name must be unique: 'Buyers (email)'"),
        ("name", "[sandbox] Lapsed buyers @ 90 days (e-mail) – 100 %"),
        ("traceId", "667ac683ac797284.667ac683ac797284<:667ac683ac797284"),
        ("traceIdentifier", "9e107d9d372bb6826bd81d3542a419d6"),
        ("createdAt", "2026-11-24T16:12:00Z"),
        ("id", "368477501993431040"),
    ],
)
@pytest.mark.parametrize("sent", [NAMES, MEMBERS])
def test_criteos_own_words_stay(sent, key, text):
    assert redact_echoes({key: text, "n": 7, "none": None}, sent) == {key: text, "n": 7, "none": None}


def test_an_answer_as_deep_as_json_may_be_is_cut():
    body: object = TOKEN.reveal()
    for _ in range(1000):
        body = [body]
    cleaned, depth = redact_echoes(body, NAMES), 0
    while isinstance(cleaned, list):
        cleaned, depth = cleaned[0], depth + 1
    assert cleaned is None
    assert depth == DEEPEST + 1


def test_an_error_of_oauth_is_only_reported_if_it_is_one():
    with pytest.raises(AuthenticationError) as caught:
        read_token(401, b'{"error": "hunter_two", "error_description": "hunter_two"}')
    assert "hunter" not in f"{caught.value.problem} {caught.value.remedy}"
    with pytest.raises(AuthenticationError, match="invalid_client"):
        read_token(401, b'{"error": "invalid_client"}')


def test_what_decides_whether_a_call_happened_is_never_withheld() -> None:
    """A customer may be called `unknown`."""
    sent = SensitiveRequest(
        (TOKEN,), members_body(IdentifierType.CUSTOMER_ID, "add", Identifiers(["unknown"]))
    )
    body = {"data": None, "errors": [{"type": "unknown", "code": "internal-error"}]}
    assert redact_echoes(body, sent) == body
