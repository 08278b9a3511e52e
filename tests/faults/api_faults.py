"""Faults of Criteo, proxies and networks, while a plan reads and while an apply writes."""

from collections.abc import Callable, Iterator

from faults.case import PLAN, Case, Group, Leaves
from faults.manifest_faults import edits
from faults.project import World
from faults.state_faults import has
from support.faulty_proxy import (
    CREATE,
    MEMBERS,
    SEARCH,
    TOKEN,
    UPDATE,
    Strike,
    continues,
    cut_in_a_chunk,
    cut_off,
    does,
    drips,
    drips_headers,
    garbled,
    hangs_up,
    inflates,
    pages_for_ever,
    problem,
    raw,
    resets,
    says,
    silence,
)

HTML = "<html><body>Bad Gateway: someone@private.example</body></html>"
PAGE = {"Content-Type": "text/html"}
EXPIRED = problem(401, "authorization-token-expired", "authentication")
ELSEWHERE = says(302, "", Location="/stolen")


def meets(operation: str, strike: Strike, times: int = 1_000, after: int = 0) -> Callable[[World], object]:
    return lambda world: world.strikes(operation, strike, times, after)


def renames(then: Callable[[World], object]) -> Callable[[World], object]:
    """Change the title, so that apply must rename the segments; then cause the fault."""

    def rename(world: World) -> None:
        world.edit("buyers.yaml", "title: Buyers", "title: Customers")
        then(world)

    return rename


def endpoint(url: str) -> Callable[[World], object]:
    def point(world: World) -> None:
        assert world.hostile
        world.edit("environment.yaml", world.hostile.url, url)

    return point


def by_proxy(strike: Strike | None) -> Callable[[World], object]:
    """Put a proxy in front of Criteo that answers CONNECT like this."""

    def go(world: World) -> None:
        assert world.hostile
        proxy = world.hostile.url if strike else "http://127.0.0.1:9"
        world.edit("environment.yaml", world.hostile.url, "https://api.criteo.invalid")
        world.environ["HTTPS_PROXY"] = proxy
        if strike:
            world.strikes("connect", strike)

    return go


def serves(certificate: str) -> Callable[[World], object]:
    def serve(world: World) -> None:
        assert world.hostile
        world.hostile.present(certificate)

    return serve


def read(name: str, strike: Strike, code: int, says: str, hint: str = "", **more: object) -> Case:
    """A fault of the search that begins a plan."""
    times = int(str(more.pop("times", 1_000)))
    return Case(name, meets(SEARCH, strike, times), code, says, hint, way="http", **({"run": PLAN} | more))  # type: ignore[arg-type]


UNTRUSTED = "can't be reached (its certificate is not trusted)"
NO_ANSWER = "(tried 5 times)"
STATUS = "see status.criteo.com, and run again"

READS = Group(
    "Criteo, when a plan reads",
    "Nothing was written. Reconciler first repeats a temporary failure five times, with growing pauses. "
    "After a 429, it waits for as long as Criteo asks.",
    (
        read("the token expires", EXPIRED, 0, "2 to update", times=1),
        read(
            "every token is refused",
            EXPIRED,
            4,
            "Criteo answers 401 authorization-token-expired",
            "check clientId and clientSecret",
        ),
        read(
            "401 comes as HTML",
            says(401, HTML, **PAGE),
            4,
            "Criteo answers 401",
            "check clientId and clientSecret",
        ),
        read(
            "403",
            problem(403, "insufficient-account-permissions", "authorization"),
            4,
            "Criteo answers 403 insufficient-account-permissions",
            "the consent of this account is missing or revoked",
        ),
        read(
            "403 comes as HTML",
            says(403, HTML, **PAGE),
            4,
            "Criteo answers 403",
            "the consent of this account is missing or revoked",
        ),
        read(
            "404", says(404, "{}"), 9, "Criteo answers 404", "check accountId, api.endpoint and api.version"
        ),
        read("405", says(405, "{}"), 9, "Criteo answers 405", "check api.endpoint and api.version"),
        read(
            "407", says(407, HTML, **PAGE), 9, "Criteo answers 407", "the proxy in HTTPS_PROXY wants a login"
        ),
        read(
            "410, as this version of the API has ended",
            problem(410, "version-decommissioned"),
            9,
            "Criteo answers 410 version-decommissioned",
            "set api.version to a supported one",
        ),
        read(
            "413", says(413, HTML, **PAGE), 9, "Criteo answers 413", "no proxy between here and Criteo limits"
        ),
        read(
            "415",
            problem(415, "unsupported-media-type"),
            9,
            "Criteo answers 415",
            "no proxy between here and Criteo rewrites requests",
        ),
        read("429 without headers, three times", says(429), 0, "2 to update", times=3),
        read(
            "429 for ever",
            says(429),
            9,
            "Criteo answered 429 (too many calls) 20 times in a row",
            "other programs share the limit",
        ),
        read(
            "429 with headers that make no sense",
            says(429, "{}", **{"X-RateLimit-Reset": "soon", "X-RateLimit-Limit": "-3", "Date": "never"}),
            9,
            "Criteo answered 429 (too many calls) 20 times in a row",
            "other programs share the limit",
        ),
        read(
            "500",
            problem(500, "internal-error", "availability"),
            9,
            f"Criteo answers 500 internal-error {NO_ANSWER}",
            STATUS,
        ),
        read("502 comes as HTML", says(502, HTML, **PAGE), 9, f"Criteo answers 502 {NO_ANSWER}", STATUS),
        read(
            "503 with Retry-After",
            says(503, "", **{"Retry-After": "86400"}),
            9,
            f"Criteo answers 503 {NO_ANSWER}",
            STATUS,
        ),
        read(
            "200 comes as HTML",
            says(200, HTML, **PAGE),
            9,
            "Criteo returned invalid JSON (status 200)",
            STATUS,
        ),
        read("200 comes empty", says(200), 9, "Criteo returned invalid JSON (status 200)", STATUS),
        read(
            "200 comes as a JSON list",
            says(200, "[1, 2]"),
            9,
            "Criteo returned invalid JSON (status 200)",
            STATUS,
        ),
        read(
            "200 holds NaN",
            says(200, '{"data": [], "meta": {"totalItems": NaN}}'),
            9,
            "Criteo returned invalid JSON (status 200)",
            STATUS,
        ),
        read(
            "200 is an object of something else",
            says(200, '{"status": "ok"}'),
            9,
            "the answer is no list of segments (tried 5 times)",
            STATUS,
        ),
        read(
            "200 says that data is null",
            says(200, '{"data": null}'),
            5,
            "are missing at Criteo",
            "check the consent and the account in Criteo",
        ),
        read(
            "200 says that data is text",
            says(200, '{"data": "x"}'),
            9,
            "the answer is no list of segments (tried 5 times)",
            STATUS,
        ),
        read(
            "200 announces more segments than come",
            says(200, '{"data": [], "meta": {"totalItems": 5}}'),
            9,
            "5 were announced, and 0 came",
            "run again",
        ),
        read(
            "200 announces fewer segments than come",
            says(200, '{"data": [{"id": "1"}], "meta": {"totalItems": 0}}'),
            9,
            "the answer announces 0 segments and holds 1 (tried 5 times)",
            STATUS,
        ),
        read(
            "200 is nested ten thousand deep",
            says(200, "[" * 10_000 + "]" * 10_000),
            9,
            "Criteo returned invalid JSON (status 200)",
            STATUS,
        ),
        read(
            "a redirection leads elsewhere",
            ELSEWHERE,
            9,
            "Criteo answers 302",
            "redirections are not followed",
        ),
        read(
            "an answer is cut off",
            cut_off,
            9,
            f"the connection broke before an answer came (RemoteProtocolError) {NO_ANSWER}",
            STATUS,
        ),
        read(
            "an answer is cut off in a chunk",
            cut_in_a_chunk,
            9,
            f"the connection broke before an answer came (RemoteProtocolError) {NO_ANSWER}",
            STATUS,
        ),
        read("an answer is packed, and garbled", garbled, 9, f"the answer came garbled {NO_ANSWER}", STATUS),
        read("an answer comes byte by byte", drips(3.0), 9, f"no answer came in time {NO_ANSWER}", STATUS),
        read(
            "an answer's headers come one by one",
            drips_headers(3.0),
            9,
            f"no answer came in time {NO_ANSWER}",
            STATUS,
        ),
        read(
            "100 Continue comes again and again",
            continues(3.0),
            9,
            f"no answer came in time {NO_ANSWER}",
            STATUS,
        ),
        read(
            "an answer unpacks to 800 MB",
            inflates(800),
            9,
            f"the answer is larger than 8 MiB {NO_ANSWER}",
            STATUS,
        ),
        read(
            "an answer is 9 MB",
            says(200, b" " * 9_000_000),
            9,
            f"the answer is larger than 8 MiB {NO_ANSWER}",
            STATUS,
        ),
        read(
            "an answer is packed in a way that was not asked for",
            says(200, b"\x28\xb5\x2f\xfd", **{"Content-Encoding": "zstd"}),
            9,
            f"the answer came garbled {NO_ANSWER}",
            STATUS,
        ),
        read(
            "pages of segments never end",
            pages_for_ever,
            9,
            "listing the segments of account 368477501993431040: more than 100,000 segments are announced",
            "check api.endpoint",
        ),
        read(
            "the same page of segments comes again and again",
            says(200, '{"data": [{"id": "1"}], "meta": {"totalItems": 7}}'),
            9,
            "a page repeats earlier items",
            "run again",
        ),
        read("no answer comes", silence(2.0), 9, f"no answer came in time {NO_ANSWER}", STATUS),
        read(
            "the connection ends before an answer",
            hangs_up,
            9,
            "the connection broke before an answer came",
            STATUS,
        ),
        read("the connection is reset", resets, 9, "the connection broke before an answer came", STATUS),
        read(
            "the answer is not HTTP",
            raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
            9,
            "the connection broke before an answer came",
            STATUS,
        ),
        Case(
            "the token endpoint answers 500",
            meets(TOKEN, says(500)),
            9,
            "the token endpoint answers 500",
            STATUS,
            way="http",
        ),
        Case(
            "the token endpoint answers 429",
            meets(TOKEN, says(429)),
            9,
            "the token endpoint answers 429",
            STATUS,
            way="http",
        ),
        Case(
            "the token endpoint answers HTML",
            meets(TOKEN, says(200, HTML, **PAGE)),
            4,
            "Criteo gave no token (the token endpoint answers 200 without one)",
            "check tokenUrl",
            way="http",
        ),
        Case(
            "the token endpoint answers a token with a line end",
            meets(TOKEN, says(200, '{"access_token": "a\\r\\nb"}')),
            4,
            "Criteo gave no token (the token endpoint answers 200 without one)",
            "check tokenUrl",
            way="http",
        ),
        Case(
            "the token is issued for no time at all",
            meets(TOKEN, says(200, '{"access_token": "no-token-of-this-world", "expires_in": -5}')),
            4,
            "Criteo answers 401",
            "check clientId and clientSecret",
            way="http",
        ),
        Case(
            "the token is issued for a million years",
            meets(
                TOKEN, says(200, '{"access_token": "no-token-of-this-world", "expires_in": 31556952000000}')
            ),
            4,
            "Criteo answers 401",
            "check clientId and clientSecret",
            way="http",
        ),
        Case(
            "the token endpoint redirects",
            meets(TOKEN, ELSEWHERE),
            4,
            "the token endpoint answers 302",
            "check tokenUrl",
            way="http",
        ),
        Case(
            "the token endpoint can't be reached",
            edits(
                'version: "2026-07"',
                'version: "2026-07", tokenUrl: "http://127.0.0.1:9/t"',
                "environment.yaml",
            ),
            9,
            "the token endpoint can't be reached (nothing listens there)",
            "check api.endpoint",
            way="http",
        ),
    ),
)


def written(
    name: str,
    operation: str,
    strike: Strike,
    code: int,
    says: str,
    hint: str = "",
    times: int = 1_000,
    **more: object,
) -> Case:
    start = "fresh" if operation == CREATE else "applied"
    leaves = Leaves.PART if code == 8 else Leaves.NOTED
    breaks = meets(operation, strike, times)
    breaks = renames(breaks) if operation == UPDATE else breaks
    defaults = {"way": "http", "start": start, "leaves": leaves}
    defaults |= {"repairs": lambda world: None} if operation == UPDATE else {}
    return Case(name, breaks, code, says, hint, **(defaults | more))  # type: ignore[arg-type]


DEFINITE = (
    ("401", EXPIRED, 4, "Criteo answers 401 authorization-token-expired", "check clientId and clientSecret"),
    (
        "403",
        problem(403, "insufficient-scope", "authorization"),
        4,
        "Criteo answers 403 insufficient-scope",
        "`Audiences: Manage`",
    ),
    (
        "429 for ever",
        says(429),
        9,
        "Criteo answered 429 (too many calls) 20 times in a row",
        "other programs share the limit",
    ),
    ("404", says(404, "{}"), 9, "Criteo answers 404", "check accountId, api.endpoint and api.version"),
    ("410", says(410, HTML), 9, "Criteo answers 410", "set api.version to a supported one"),
    ("413", says(413, HTML), 9, "413: a batch of 1 identifier is too large", "limits the size of requests"),
    ("415", says(415, HTML), 9, "Criteo answers 415", "no proxy between here and Criteo rewrites requests"),
    ("302", ELSEWHERE, 9, "Criteo answers 302", "redirections are not followed"),
)
"""Answers that say for sure that the call did not happen."""
DOUBTFUL = (
    ("silence", does(silence(1.3)), "no answer came in time"),
    ("502 in HTML", does(says(502, HTML)), "Criteo answers 502"),
    ("200 in HTML", does(says(200, HTML)), "Criteo returned invalid JSON"),
    ("half an answer", cut_off, "the connection broke before an answer came"),
    ("garbled gzip", does(garbled), "the answer came garbled"),
    ("a reset", does(resets), "the connection broke before an answer came"),
    ("an empty object", does(says(200, "{}")), "the answer doesn't say what was done"),
    (
        "wrong shapes",
        does(says(200, '{"data": [{"id": 7}, 5, null], "errors": 3, "warnings": "x"}')),
        "the answer doesn't say what was done",
    ),
)
"""Ends of a call that was carried out, and whose answer doesn't say so."""


def writings() -> Iterator[Case]:
    for operation, doing in ((MEMBERS, "a batch"), (CREATE, "a create"), (UPDATE, "a rename")):
        for answer, strike, code, words, hint in DEFINITE if operation == MEMBERS else DEFINITE[:3]:
            yield written(f"{doing} is answered {answer}", operation, strike, code, words, hint)
        if operation == MEMBERS:
            yield written(
                f"{doing} is answered 413 twice", operation, says(413, HTML), 0, "2 applied", times=2,
                leaves=Leaves.ALL,
            )  # fmt: skip
        yield written(f"{doing} is answered 500", operation, says(500), 8, "Criteo answers 500", STATUS)
        for answer, strike, words in DOUBTFUL[3:] if operation == UPDATE else DOUBTFUL:
            name = f"{doing} is carried out, and answered with {answer}"
            if operation == CREATE:  # looked up by its name, and found
                yield written(name, operation, strike, 0, "2 applied", leaves=Leaves.ALL)
            else:
                yield written(name, operation, strike, 8, words, STATUS)


WRITES = Group(
    "Criteo, when an apply writes",
    "Exit 9: nothing was written. Exit 8: some changes were written, or may have been. The state records "
    "them, and the next apply resumes. An unconfirmed request may still take effect: reconciler sends no "
    "conflicting request before `api.gracePeriod` ends.",
    tuple(writings()),
)

NETWORK = Group(
    "Network, certificates and proxies",
    "Nothing was written, because no call reached Criteo.",
    (
        Case(
            "nobody listens at the endpoint",
            endpoint("http://127.0.0.1:9"),
            9,
            "can't be reached (nothing listens there)",
            "check api.endpoint",
            way="http",
        ),
        Case(
            "the name of the endpoint does not exist",
            endpoint("https://api.criteo.invalid"),
            9,
            "can't be reached (there is no host of that name)",
            "check api.endpoint",
            way="http",
        ),
        Case(
            "https is asked of a server that speaks http",
            lambda world: world.edit("environment.yaml", "'http://", "'https://"),
            9,
            "can't be reached (no secure connection can be made)",
            "check api.endpoint",
            way="http",
        ),
        Case(
            "the certificate is signed by somebody unknown",
            has(SSL_CERT_FILE=None),
            9,
            UNTRUSTED,
            "name its authority in SSL_CERT_FILE",
            way="good",
        ),
        Case(
            "the certificate is for another host",
            lambda world: None,
            9,
            UNTRUSTED,
            "check api.endpoint",
            way="elsewhere",
            repairs=serves("good"),
        ),
        Case(
            "the certificate has expired",
            lambda world: None,
            9,
            UNTRUSTED,
            "the clock of this machine",
            way="expired",
            repairs=serves("good"),
        ),
        Case(
            "SSL_CERT_FILE names a file that isn't there",
            has(SSL_CERT_FILE="/nowhere/ca.pem"),
            3,
            "names no certificates that can be read",
            "name a file in PEM format",
            way="good",
        ),
        Case(
            "SSL_CERT_FILE names a file that is no certificate",
            has(SSL_CERT_FILE="/etc/hostname"),
            3,
            "names no certificates that can be read",
            "name a file in PEM format",
            way="good",
        ),
        Case(
            "the proxy refuses: 407",
            by_proxy(says(407, HTML)),
            9,
            "can't be reached (the proxy refuses)",
            "check HTTPS_PROXY and NO_PROXY",
            way="http",
        ),
        Case(
            "the proxy refuses: 403",
            by_proxy(says(403, HTML)),
            9,
            "can't be reached (the proxy refuses)",
            "check HTTPS_PROXY and NO_PROXY",
            way="http",
        ),
        Case("the proxy hangs up", by_proxy(hangs_up), 9, "can't be reached", "HTTPS_PROXY", way="http"),
        Case("the proxy can't be reached", by_proxy(None), 9, "can't be reached", "HTTPS_PROXY", way="http"),
        Case(
            "HTTPS_PROXY is no address",
            has(HTTPS_PROXY="ftp://user:s3cr3t-value@x"),
            3,
            "is not the address of a proxy",
            "write http://HOST:PORT, or unset it",
            way="http",
        ),
        Case(
            "ALL_PROXY speaks a language we don't",
            has(ALL_PROXY="socks5://user:s3cr3t-value@x"),
            3,
            "is not the address of a proxy",
            "write http://HOST:PORT, or unset it",
            way="http",
        ),
        Case("all is well by https", lambda world: None, 0, "2 applied", leaves=Leaves.ALL, way="good"),
    ),
)
