"""Tokens, permissions, limits and error formats; changes nothing."""

from statistics import median

from fidelity.experiment import Experiment, Result
from fidelity.lab import Lab, Seen, Unseen
from reconciler.emulator.switches import Switches

ASSUMED = Switches()
NOBODY = "/audience-segments/0/contact-list"
HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
APART = 3.0


def token_seconds(lab: Lab) -> Result:
    return Result(lab.token().body.get("expires_in"))


def scopes(lab: Lab) -> Result:
    """Find permissions by 403 responses. The permission to manage is tested with an empty update."""
    account = lab.settings.account_id
    empty: dict[str, object] = {"data": {"attributes": {}}}
    probes = {
        "RetailMedia_Accounts_Read": lab.call("GET", "/accounts"),
        "RetailMedia_Audience_Manage": lab.account("/audience-segments", {"data": []}, method="PATCH"),
        "RetailMedia_Audience_Read": lab.account("/audience-segments/search", empty, limit=1),
        "RetailMedia_Campaign_Read": lab.call("POST", f"/accounts/{account}/retailers/search", empty),
    }
    granted = [scope for scope, seen in probes.items() if seen.status not in {401, 403}]
    refused = {seen.summary for seen in probes.values() if seen.status in {401, 403}}
    return Result(", ".join(granted) or "none", "; ".join(sorted(refused)))


def service(lab: Lab) -> Result:
    data = lab.call("GET", "/me").body.get("data")
    attributes = data.get("attributes") if isinstance(data, dict) else None
    if not isinstance(attributes, dict):
        raise Unseen("the application was not stated")
    return Result(attributes.get("criteoService") or "null")


def trace_key(lab: Lab) -> Result:
    seen = lab.call("GET", f"/accounts/{lab.settings.account_id}{NOBODY}")
    for entry in seen.entries("errors"):
        for key in ("traceId", "traceIdentifier"):
            if entry.get(key):
                return Result(key, seen.summary)
    raise Unseen(f"no entry had a trace id: {seen.summary}")


def rate_headers(lab: Lab) -> Result:
    given = [name for name in HEADERS if name in _me(lab).headers]
    return Result(len(given) == len(HEADERS), ", ".join(given) or "none of them")


def rate_limit(lab: Lab) -> Result:
    return Result(_number(_me(lab), HEADERS[0]))


def rate_window(lab: Lab) -> Result:
    """Compare the resets of two calls a few seconds apart."""
    first = _me(lab)
    lab.clock.sleep(APART)
    second, now = _me(lab), lab.clock.now()
    resets = _number(first, HEADERS[2]), _number(second, HEADERS[2])
    wait = round(resets[1] - now)
    detail = f"reset in {wait} s, {resets[1] - resets[0]} s later after {APART:.0f} s"
    if resets[0] != resets[1] and wait <= APART:
        return Result("bucket", detail)
    if resets[0] % 60 == resets[1] % 60 == 0:
        return Result("fixed", detail)
    return Result("sliding", detail)


def token_calls_count(lab: Lab) -> Result:
    """Compare the remaining calls before and after a token request; retry if a window ends meanwhile."""
    for _ in range(3):
        before = _number(_me(lab), HEADERS[1])
        lab.token()
        spent = before - _number(_me(lab), HEADERS[1])
        if spent in (1, 2):
            return Result(spent == 2, f"{spent} calls less remain after one call and one token")
    raise Unseen("others call at the same time")


def latency(lab: Lab) -> Result:
    return Result(round(median(_me(lab).seconds for _ in range(3)), 3), "seconds, median of 3")


def _me(lab: Lab) -> Seen:
    seen = lab.call("GET", "/me")
    if seen.status != 200:
        raise Unseen(f"the application is not stated: {seen.summary}")
    return seen


def _number(seen: Seen, name: str) -> int:
    header = seen.headers.get(name, "")
    if not (header.isascii() and header.isdigit()):
        raise Unseen(f"{name} is not stated")
    return int(header)


EXPERIMENTS = (
    Experiment(
        "token-seconds",
        "How long does a token live?",
        ASSUMED.token_seconds,
        token_seconds,
        switch="token_seconds",
    ),
    Experiment(
        "scopes",
        "What is this application permitted?",
        ", ".join(ASSUMED.scopes),
        scopes,
        switch="scopes",
    ),
    Experiment("service", "What does an application of Retail Media call its service?", "null", service),
    Experiment(
        "trace-key",
        "What is the trace id of a refusal called?",
        ASSUMED.trace_key,
        trace_key,
        switch="trace_key",
    ),
    Experiment(
        "rate-headers",
        "Do all answers carry the rate headers?",
        ASSUMED.rate_headers,
        rate_headers,
        switch="rate_headers",
    ),
    Experiment("rate-limit", "How many calls a minute?", ASSUMED.rate_limit, rate_limit, switch="rate_limit"),
    Experiment("rate-window", "What is a minute?", ASSUMED.rate_window, rate_window, switch="rate_window"),
    Experiment(
        "token-calls-count",
        "Does a token call count against the limit?",
        ASSUMED.token_calls_count,
        token_calls_count,
        switch="token_calls_count",
    ),
    Experiment("latency", "How long does a small answer take?", ASSUMED.latency, latency, switch="latency"),
)
