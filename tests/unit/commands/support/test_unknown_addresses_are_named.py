"""An unknown address gets a suggestion; it is repeated only if it looks like an address."""

import pytest

from reconciler.commands.support.selection import selected, single
from reconciler.core.errors import ConfigurationError
from reconciler.core.model import Address

HERE = frozenset(
    Address(destination, audience)
    for destination in ("offsite-email", "onsite-customer")
    for audience in ("lapsed-90d", "loyalty-gold")
)
LIST = (
    "addresses here: offsite-email/lapsed-90d, offsite-email/loyalty-gold, onsite-customer/lapsed-90d, "
    "onsite-customer/loyalty-gold"
)


def refused(*only: str, known: frozenset[Address] = HERE) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        selected(only, known)
    return caught.value


def test_without_the_option_all_are_meant():
    assert selected((), HERE) == HERE
    assert selected(("offsite-email/lapsed-90d",), HERE) == {Address("offsite-email", "lapsed-90d")}


@pytest.mark.parametrize(
    ("typed", "problem", "remedy"),
    [
        (
            "offsite-email/lapsed-9d",
            "there is no address offsite-email/lapsed-9d",
            "offsite-email/lapsed-90d",
        ),
        ("Offsite-Email/lapsed-90d", "an address given is not here", "offsite-email/lapsed-90d"),
        ("x/y", "there is no address x/y", ""),
    ],
)
def test_what_is_near_is_offered(typed: str, problem: str, remedy: str):
    error = refused(typed)
    assert error.problem == problem
    assert error.remedy == (f"did you mean {remedy}? {LIST}" if remedy else LIST)


@pytest.mark.parametrize(
    ("typed", "problem", "meant"),
    [
        ("lapsed", "there is no audience lapsed", "did you mean lapsed-90d? "),
        ("lapsed-9d", "there is no audience lapsed-9d", "did you mean lapsed-90d? "),
        ("Lapsed-90D", "an audience given is not here", "did you mean lapsed-90d? "),
        ("ofsite-email", "there is no audience ofsite-email", "did you mean `offsite-email/*`? "),
        (
            "onsite-customer",
            "onsite-customer is a destination, not an audience",
            "did you mean `onsite-customer/*`? ",
        ),
        ("ofsite-email/*", "no address matches ofsite-email/*", "did you mean `offsite-email/*`? "),
        ("*/lapsed-9d", "no address matches */lapsed-9d", "did you mean `*/lapsed-90d`? "),
        ("zzz*", "no audience matches zzz*", ""),
        ("zz[a]/*", "a glob matches nothing", ""),
        ("zzz", "there is no audience zzz", ""),
    ],
)
def test_what_selects_nothing_is_named_with_what_is_near(typed: str, problem: str, meant: str):
    error = refused(typed)
    assert error.problem == problem
    assert error.remedy == f"{meant}{LIST}"


@pytest.mark.parametrize(
    ("typed", "addresses"),
    [
        (("lapsed-90d",), "offsite-email/lapsed-90d onsite-customer/lapsed-90d"),
        (("offsite-email/*",), "offsite-email/lapsed-90d offsite-email/loyalty-gold"),
        (("*/lapsed-90d",), "offsite-email/lapsed-90d onsite-customer/lapsed-90d"),
        (("lapsed-*",), "offsite-email/lapsed-90d onsite-customer/lapsed-90d"),
        (("o?fsite-email/l[ab]psed-90d",), "offsite-email/lapsed-90d"),
        (
            ("offsite-email/loyalty-gold", "on*/loyalty-gold"),
            "offsite-email/loyalty-gold onsite-customer/loyalty-gold",
        ),
        (("*",), " ".join(sorted(map(str, HERE)))),
    ],
)
def test_names_of_audiences_and_globs_select(typed: tuple[str, ...], addresses: str):
    assert sorted(map(str, selected(typed, HERE))) == addresses.split()


def test_an_audience_named_like_a_destination_is_the_audience():
    known = HERE | {Address("offsite-email", "onsite-customer")}
    assert selected(("onsite-customer",), known) == {Address("offsite-email", "onsite-customer")}


def test_one_address_is_found_by_its_audience_unless_there_are_several():
    assert single("offsite-email/lapsed-90d", HERE) == "offsite-email/lapsed-90d"
    assert single("loyalty-gold", {Address("email", "loyalty-gold")}) == "email/loyalty-gold"
    assert single("none", HERE) == "none"
    with pytest.raises(ConfigurationError, match="2 addresses match") as caught:
        single("lapsed-90d", HERE)
    assert caught.value.remedy == "write one of offsite-email/lapsed-90d, onsite-customer/lapsed-90d"


@pytest.mark.promise("private")
@pytest.mark.parametrize(
    "typed",
    [
        "s3cr3tT0ken/lapsed-90d",
        "offsite-email/77100200300400103",
        "offsite-email/9b1f0c9e8d7a4b5c9f3e2d1c0b9a8f7e",
        "bob@acme.com/x",
        "06-12-34-56-78/x",
        "file:///home/secret",
        "s3cr3tT0ken*/x",
    ],
)
def test_what_may_be_a_secret_or_a_person_is_not_repeated(typed: str):
    error = refused(typed, typed.partition("/")[0] + "/lapsed-90d ", "lapsed")
    said = str([error.problem, error.remedy, *map(str, error.findings)])
    assert len(error.findings) == 3
    assert not any(
        part in said for part in typed.split("/") if part not in {"offsite-email", "lapsed-90d", "x", ""}
    )


def test_many_are_not_all_listed():
    many = frozenset(Address("d", f"a{number:02}") for number in range(12))
    assert refused("x/y", known=many).remedy.endswith("d/a09 and 2 more")
    assert refused("x/y", known=frozenset()).remedy == "there are no addresses here"
