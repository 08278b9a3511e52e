"""Normalization, and the known mistakes of other normalizers."""

import hashlib

import phonenumbers
import pytest

from reconciler.core import phone_numbers
from reconciler.core.identifiers import NormalizedIdentifier, normalize
from reconciler.core.members import DropReason
from reconciler.core.model import HASHINGS, Hashing, IdentifierType

pytestmark = pytest.mark.promise("members")

EMAIL, PHONE = IdentifierType.EMAIL, IdentifierType.PHONE_NUMBER
JOHN = "john.doe@gmail.com"
VECTORS = {
    Hashing.NONE: JOHN,
    Hashing.MD5: "e13743a7f1db7f4246badd6fd6ff54ff",
    Hashing.SHA256: "375320dd9ae7ed408002f3768e16cb5f28c861062fd50dff9a3bff62e9dce4ef",
    Hashing.SHA256_OF_MD5: "000e3171a5110c35c69d060112bd0ba55d9631c7c2ec93f1840e4570095b263a",
}


def wire(value: str, hashing: Hashing = Hashing.NONE, kind: IdentifierType = EMAIL) -> str | None:
    return normalize(value, kind, hashing).value


def flaw(value: str, kind: IdentifierType = EMAIL) -> str:
    found = normalize(value, kind, Hashing.NONE)
    assert found.drop_reason is (DropReason.MALFORMED if found.defect else None)
    return found.defect


@pytest.mark.parametrize("hashing", VECTORS)
@pytest.mark.parametrize(
    "value",
    [
        JOHN,
        "John.Doe@Gmail.com",
        f"  {JOHN}\t",
        f"\u00a0{JOHN}\u200b",
        f"\ufeff{JOHN}\r\n",
        f"\u3000{JOHN}\u2060",
    ],
)
def test_every_spelling_of_an_address_is_one_member(value, hashing):
    assert normalize(value, EMAIL, hashing) == NormalizedIdentifier(VECTORS[hashing])


def test_no_mailbox_rules_of_one_provider_are_applied():
    assert wire("j.o.h.n+shop@gmail.com") == "j.o.h.n+shop@gmail.com"
    assert wire("j.o.h.n+shop@googlemail.com") == "j.o.h.n+shop@googlemail.com"


def test_a_trailing_blank_gives_the_same_hash():
    """megalista read the domain before it trimmed."""
    assert wire("ca.us@gmail.com ", Hashing.SHA256) == wire("ca.us@gmail.com", Hashing.SHA256)


MD5, SHA = VECTORS[Hashing.MD5], VECTORS[Hashing.SHA256]


@pytest.mark.parametrize(
    ("value", "hashing", "expected"),
    [
        (SHA, Hashing.SHA256, SHA),
        (f" {SHA.upper()}\n", Hashing.SHA256, SHA),
        (SHA, Hashing.SHA256_OF_MD5, SHA),
        (MD5, Hashing.MD5, MD5),
        (MD5.upper(), Hashing.MD5, MD5),
        (MD5, Hashing.SHA256_OF_MD5, VECTORS[Hashing.SHA256_OF_MD5]),
        (MD5, Hashing.SHA256, None),
        (SHA, Hashing.MD5, None),
        (MD5, Hashing.NONE, None),
        (SHA, Hashing.NONE, None),
    ],
)
def test_what_came_hashed_is_never_hashed_twice(value, hashing, expected):
    drop = None if expected else DropReason.OTHER_HASHING
    assert normalize(value, EMAIL, hashing) == NormalizedIdentifier(expected, drop, hashed=True)


@pytest.mark.parametrize(
    "value", [f"x{SHA}", f"{SHA}0", SHA[:-1], f"{SHA} {SHA}", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]
)
def test_only_a_whole_digest_is_a_digest(value):
    """An unanchored pattern, or any padded base64, has been taken for a hash elsewhere."""
    found = normalize(value, EMAIL, Hashing.SHA256)
    assert (found.value, found.drop_reason, found.hashed) == (None, DropReason.MALFORMED, False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("john", "no @"),
        ("john@@x.com", "two @"),
        ("john@x.com;jane@x.com", "two @"),
        ("@x.com", "nothing before the @"),
        ("john@gmail", "no domain ending"),
        ("john@x.c", "no domain ending"),
        ("john@127.0.0.1", "no domain ending"),
        ("john@x.com.", "no domain ending"),
        ("john doe@x.com", "white space inside"),
        ("john@x\u00a0.com", "white space inside"),
        ("jürgen@x.com", "not ASCII"),
        ("\u212aarl@x.com", "not ASCII"),
        ("İ@x.com", "not ASCII"),
        ("john\x00@x.com", "control characters"),
        ("<john@x.com>", "a character that no address has"),
        ("john@x,com", "a character that no address has"),
        ("john@x..com", "a misplaced dot or dash"),
        ("john@-x.com", "a misplaced dot or dash"),
        ("john@.com", "a misplaced dot or dash"),
        ("j" * 65 + "@x.com", "too long"),
        ("j@" + "x" * 250 + ".com", "too long"),
        (JOHN, ""),
        ("j" * 64 + "@x.com", ""),
        ("o'neil+x_y=1@sub-1.xn--bcher-kva.xn--p1ai", ""),
    ],
)
def test_a_malformed_address_says_what_is_wrong(value, expected):
    assert flaw(value) == expected


@pytest.mark.parametrize("value", ["", " ", "\t\u00a0\ufeff\u200b"])
@pytest.mark.parametrize("kind", IdentifierType)
def test_blank_is_empty_and_not_malformed(value, kind):
    for hashing in HASHINGS[kind]:
        assert normalize(value, kind, hashing) == NormalizedIdentifier(None, DropReason.EMPTY)


@pytest.mark.parametrize(
    "value",
    [
        "+18005550100",
        "001 (800) 555-0100",
        "+1 800.555.0100",
        "\u00a0+1-800\u2011555\u20110100",
        "+1/800/5550100",
    ],
)
def test_every_spelling_of_a_number_is_one_member(value):
    assert normalize(value, PHONE, Hashing.NONE) == NormalizedIdentifier("+18005550100")
    assert wire(value, Hashing.SHA256, PHONE) == wire("+18005550100", Hashing.SHA256, PHONE)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("(800) 555-0100", "no country code"),
        ("030 1234567", "no country code"),
        ("+0000000000", "no country code"),
        ("+49 (0) 30 1234567", "an optional (0)"),
        ("call me", "not a number"),
        ("+1 800 FLOWERS", "not a number"),
        ("+", "not a number"),
        ("(-)", "not a number"),
        ("+4930123", "not 8 to 15 digits"),
        ("+4930123456789012", "not 8 to 15 digits"),
    ],
)
def test_a_number_without_a_country_is_malformed(value, expected):
    """Nor does `+0000000000` become an empty text that fails a whole batch."""
    assert flaw(value, PHONE) == expected


MISSING, ROUNDED = "a word for a missing value", "scientific notation"
ZEROS, DECIMAL = "all zeros", "a decimal number"
DAMAGED = {
    **dict.fromkeys(["NULL", "null", "(null)", "<NULL>", "None", "<none>", "nil", "NaN", "-nan"], MISSING),
    **dict.fromkeys(["\\N", "N/A", "#N/A", "#NA", "<NA>", "NA", "NaT", "undefined", "-", "--", "?"], MISSING),
    **dict.fromkeys(["#VALUE!", "#REF!", "#NAME?", "#DIV/0!"], MISSING),
    **dict.fromkeys(["1.23457E+11", "1,23457E+11", "1.23457e+11", "-1.2E11", "1E+11", "1.2E-05"], ROUNDED),
    **dict.fromkeys(["12345.0", "12345,0", "-1.0"], DECIMAL),
    **dict.fromkeys(["00000000-0000-0000-0000-000000000000", "0" * 32], ZEROS),
}


@pytest.mark.parametrize("kind", IdentifierType)
@pytest.mark.parametrize("value", DAMAGED)
def test_what_stands_for_a_missing_or_a_rounded_value_is_malformed_in_every_type(value, kind):
    assert flaw(f" {value}\t", kind) == DAMAGED[value]


@pytest.mark.parametrize("kind", IdentifierType)
@pytest.mark.parametrize("word", ["", " ", "NULL", "null", "None", "nan", "n/a"])
def test_the_hash_of_a_missing_value_is_malformed_in_every_type(word, kind):
    md5 = hashlib.md5(word.encode(), usedforsecurity=False).hexdigest()
    for digest in (md5, hashlib.sha256(word.encode()).hexdigest(), hashlib.sha256(md5.encode()).hexdigest()):
        for hashing in HASHINGS[kind]:
            for value in (digest, digest.upper()):
                assert normalize(value, kind, hashing) == NormalizedIdentifier(
                    None, DropReason.MALFORMED, "the hash of a missing value"
                )


@pytest.mark.parametrize(
    "value",
    [
        *("Na", "na", "Nat", "Nan1", "unknown", "missing", "anonymous", "nullable", "0", "-1", "test"),
        *("1E11", "12E5", "A1.5E+3", "12.5", "1.0.0", "12345.00", "00000000", "0000", "a-0", "\u017fnil"),
    ],
)
def test_a_text_that_may_be_an_id_is_kept(value):
    for kind in (IdentifierType.CUSTOMER_ID, IdentifierType.USER_IDENTIFIER, IdentifierType.IDENTITY_LINK):
        assert wire(value, kind=kind) == value


def test_hashed_numbers_pass_as_they_are():
    assert normalize(SHA, PHONE, Hashing.SHA256) == NormalizedIdentifier(SHA, hashed=True)
    assert normalize(MD5, PHONE, Hashing.SHA256) == NormalizedIdentifier(
        None, DropReason.OTHER_HASHING, hashed=True
    )


@pytest.mark.parametrize(
    "kind", [IdentifierType.CUSTOMER_ID, IdentifierType.USER_IDENTIFIER, IdentifierType.IDENTITY_LINK]
)
def test_ids_keep_their_case_their_zeros_and_what_looks_like_a_hash(kind):
    for value in ("00123", "aBc 1", MD5.upper(), SHA, "XY1005bNGjcA"):
        assert normalize(f" {value}\t", kind, Hashing.NONE) == NormalizedIdentifier(value)
    assert (
        flaw("a\tb", kind)
        == flaw("a\nb", kind)
        == flaw("a\x9fb", kind)
        == flaw("a\ud800", kind)
        == "control characters"
    )
    assert flaw("x" * 257, kind) == "too long"
    assert flaw("é" * 256, kind) == ""


@pytest.mark.parametrize(
    ("value", "country", "expected"),
    [
        *((one, "FR", "+33612345678") for one in ("06 12 34 56 78", "06.12.34.56.78", "(06)12345678")),
        *((one, "FR", "+33612345678") for one in ("612345678", "33 6 12 34 56 78", "+33 6 12345678")),
        ("0049 30 123456", "FR", "+4930123456"),
        ("+44 20 7946 0123", "FR", "+442079460123"),
        ("020 7946 0123", "GB", "+442079460123"),
        ("06 698 12345", "IT", "+3906698" + "12345"),
        ("347 123 4567", "IT", "+393471234567"),
        ("(212) 555-0100", "US", "+12125550100"),
        ("1 416 555 0100", "US", "+14165550100"),
        ("8 (912) 345-67-89", "RU", "+79123456789"),
        ("0412 345 678", "AU", "+61412345678"),
        ("(11) 96123-4567", "BR", "+5511961234567"),
        ("06 30 123 4567", "HU", "+36301234567"),
        ("612 34 56 78", "ES", "+34612345678"),
    ],
)
def test_a_number_is_read_as_people_write_it_in_the_default_country(value, country, expected):
    assert normalize(value, PHONE, Hashing.NONE, country) == NormalizedIdentifier(expected)
    assert normalize(value, PHONE, Hashing.SHA256, country).value == wire(expected, Hashing.SHA256, PHONE)


@pytest.mark.parametrize(
    ("value", "country"),
    [
        ("06 12 34 56", "FR"),
        ("06 12 34 56 78 9", "FR"),
        ("1000000000", "FR"),
        ("12345", "FR"),
        ("0800 123 456", "FR"),
        ("07911 123456", "FR"),
        ("4915123456789", "DE"),
        ("0 31 21 12 44 567", "CO"),
        ("9" * 300, "FR"),
    ],
)
def test_a_number_that_the_default_country_does_not_have_is_malformed(value, country):
    """Nor one that may be read in two ways: `49 151 …` begins like a country and like an area code."""
    expected = NormalizedIdentifier(None, DropReason.MALFORMED, "not a number of the default country")
    assert normalize(value, PHONE, Hashing.NONE, country) == expected


@pytest.mark.parametrize("value", ["+0612345678", "+49 (0) 30 1234567", "call me", "NULL", "612345678.0"])
def test_a_default_country_lets_nothing_else_pass(value):
    assert normalize(value, PHONE, Hashing.NONE, "FR") == normalize(value, PHONE, Hashing.NONE)
    assert normalize(value, PHONE, Hashing.NONE, "FR").drop_reason is DropReason.MALFORMED


NOT_READ = {
    ("AR", "MOBILE"): "a 15 inside the number is moved to its front, as a 9",
    ("RW", "FIXED_LINE"): "it is written without a prefix, and begins like the country code",
    **dict.fromkeys(
        [("NU", "FIXED_LINE"), ("TA", "FIXED_LINE"), ("TK", "FIXED_LINE"), ("TK", "MOBILE")], "too short"
    ),
}


@pytest.mark.parametrize("country", sorted(phone_numbers.countries()))
def test_the_numbers_of_every_country_are_read_as_it_writes_them(country):
    """The library's own examples of what people have."""
    for kind in ("FIXED_LINE", "MOBILE", "PERSONAL_NUMBER", "VOIP"):
        example = phonenumbers.example_number_for_type(country, getattr(phonenumbers.PhoneNumberType, kind))
        if example is None:
            continue
        national = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL)
        expected = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        read = normalize(national, PHONE, Hashing.NONE, country).value
        assert read == (None if (country, kind) in NOT_READ else expected), national


def test_there_is_no_numbering_plan_of_a_country_that_is_none():
    with pytest.raises(LookupError):
        phone_numbers.numbering_plan("XX")
