"""Every rule of manifests: cause, position, and fix; one case each."""

from pathlib import Path

import pytest
from support.manifest_project import Project

pytestmark = pytest.mark.promise("refused-early")

ENVIRONMENT, CREDENTIALS = "environment.yaml", "credentials.yaml"
DESTINATIONS, AUDIENCE = "destinations.yaml", "audiences/lapsed.yaml"

SECOND = """---
kind: Destination
name: ‸offsite-email
credential: criteo
seat: acme
identifierType: CustomerId
---"""

PHONE = """---
kind: Destination
name: phone
credential: criteo
seat: acme
identifierType: PhoneNumber
hashing: ‸md5
---"""

# (file, text to replace, replacement with ‸ where the finding stands, problem, remedy)
TRAPS = [
    (AUDIENCE, "name: lapsed-90d", "name: ‸no", "read this as a boolean", "put quotes around it"),
    (AUDIENCE, "name: lapsed-90d", "name: ‸010", "without its leading zeros", "put quotes"),
    (AUDIENCE, "title: Lapsed buyers", "title: ‸2026-11-24", "read this as a date", "put quotes"),
    (AUDIENCE, "title: Lapsed buyers", "title: ‸2024", "read this as a number", "put quotes"),
    (AUDIENCE, "title: Lapsed buyers", "title: ‸1e3", "read this as a number", "put quotes"),
    (AUDIENCE, "title: Lapsed buyers", "title: ‸12:30", "read this as a time", "put quotes"),
    (AUDIENCE, "title: Lapsed buyers", "title: ‸~", "read this as no value", "put quotes"),
    (AUDIENCE, "{Email: email,", "{Email: ‸y,", "read this as a boolean", "put quotes"),
    (AUDIENCE, "Nothing in 90 days", "‸0x1F", "read this as a number", "put quotes"),
    (AUDIENCE, "Nothing in 90 days", "‸.inf", "read this as a number", "put quotes"),
    (
        ENVIRONMENT,
        'accountId: "368477501993431040"',
        "accountId: ‸368477501993431040",
        "read this as a number, and round it",
        "put quotes",
    ),
    (
        ENVIRONMENT,
        "  acme:",
        '  ‸off: {accountId: "1", retailerId: "2"}\n  acme:',
        "read this as a boolean",
        "put quotes",
    ),
    (ENVIRONMENT, "  acme:", "  ‸true:", "a key must be text", "put quotes around true"),
    (AUDIENCE, "title: Lapsed buyers", "title: ‸true", "`title` must be text", "in quotes if it is true"),
    (AUDIENCE, "title: Lapsed buyers", "title: ‸Lapsed #1", "` #` after the plain `title`", "put quotes"),
    (AUDIENCE, "Nothing in 90 days", "‸Nothing  # in 90 days", "` #` after the plain", "put quotes"),
    (
        AUDIENCE,
        '"last_order < :today - interval 90 day"',
        "‸a < 1 #b",
        "` #` after the plain `where`",
        "quotes",
    ),
]
TITLE = "title: Lapsed buyers"
INVISIBLE = [
    (AUDIENCE, TITLE, "title: Lap‸\u200bsed", "in `title`: ZERO WIDTH SPACE (U+200B)", "remove it"),
    (AUDIENCE, TITLE, "title: Lap‸\u202esed", "RIGHT-TO-LEFT OVERRIDE (U+202E)", "remove it"),
    (AUDIENCE, TITLE, "title: 'Lap‸\u2066sed'", "LEFT-TO-RIGHT ISOLATE (U+2066)", "remove it"),
    (AUDIENCE, TITLE, 'title: ‸"Lap\\u200fsed"', "RIGHT-TO-LEFT MARK (U+200F)", "remove it"),
    (AUDIENCE, TITLE, 'title: ‸"Lap\\x9b2Jsed"', "U+009B, which has no name", "remove it"),
    (AUDIENCE, TITLE, "title: Lap‸\u2800sed", "BRAILLE PATTERN BLANK (U+2800)", "remove it"),
    (AUDIENCE, TITLE, "title: Lap‸\U000e0041sed", "TAG LATIN CAPITAL LETTER A (U+E0041)", "remove it"),
    (AUDIENCE, TITLE, "title: Lap‸\ue000sed", "U+E000, which has no name", "remove it"),
    (AUDIENCE, TITLE, 'title: ‸"Lap\\esed"', "`title` is not written", "this is one line of text"),
    (AUDIENCE, "Nothing in 90 days", 'Nothing‸\ufeff in 90"', "ZERO WIDTH NO-BREAK SPACE", "remove it"),
    (
        AUDIENCE,
        "Nothing in 90 days",
        "|\n  Nothing\n  in‸\u2060 90 days",
        "WORD JOINER (U+2060)",
        "remove it",
    ),
    (AUDIENCE, "Nothing in 90 days", '‸"Nothing\\ein"', "U+001B, which has no name", "remove it"),
    (AUDIENCE, "last_order <", "last_order‸\u2069 <", "in `where`: POP DIRECTIONAL", "remove it"),
    (ENVIRONMENT, "[sandbox] ", "[sandbox‸\u00ad] ", "in `namePrefix`: SOFT HYPHEN", "remove it"),
    (DESTINATIONS, "Offsite campaigns", "Off‸\u061csite", "ARABIC LETTER MARK (U+061C)", "remove it"),
]
SYNTAX = [
    (AUDIENCE, '["customers/*.csv"]', "[‸*.csv]", "can't begin with `*`", "put quotes"),
    (AUDIENCE, '["customers/*.csv"]', "\n    - ‸*all", "an alias", "put quotes around a value that begins"),
    (AUDIENCE, "title: Lapsed", "title: ‸&lapsed Lapsed", "an anchor", "put quotes"),
    (AUDIENCE, "source:", "source: ‸&source", "an anchor", "write it out"),
    (AUDIENCE, "title: Lapsed", "title: ‸!lapsed Lapsed", "a tag", "put quotes"),
    (AUDIENCE, "title: Lapsed", "title: ‸!!str Lapsed", "a tag", "remove the tag"),
    (AUDIENCE, "title: Lapsed", "title: ‸@lapsed", "can't begin with `@`", "put quotes"),
    (AUDIENCE, "title: Lapsed", "title: ‸%lapsed", "can't begin with `%`", "put quotes"),
    (AUDIENCE, "title: Lapsed", "title: ‸`lapsed`", "can't begin with a backtick", "put quotes"),
    (AUDIENCE, "title: Lapsed", "‸%lapsed: Lapsed", "can't begin with `%`", "put quotes"),
    (AUDIENCE, "title: Lapsed", "title: ‸> 3 orders", "can't begin with `|` or `>`", "put quotes"),
    (AUDIENCE, "title: Lapsed buyers", "title: Lapsed‸: buyers", "a second `: `", "put quotes"),
    (AUDIENCE, "title: Lapsed", "‸title\nx: Lapsed", "a key without a value", "a space after the colon"),
    (AUDIENCE, "title: Lapsed buyers", "title: ‸'Lapsed", "the quotes opened here", "close them"),
    (AUDIENCE, "title: Lapsed buyers", 'title: "Lapsed‸\\q"', "an unknown escape", "single quotes"),
    (AUDIENCE, "guards: {maxShrink: 10%}", "guards: ‸{maxShrink: 10%", "the `{` opened here", "close it"),
    (
        AUDIENCE,
        "[offsite-email, onsite-customer]",
        "‸[offsite-email, onsite-customer",
        "the `[` opened here",
        "close it",
    ),
    (AUDIENCE, "title: Lapsed buyers", 'title: "Lapsed" ‸buyers', "follows a closing quote", "whole value"),
    (AUDIENCE, "  files:", " ‸\tfiles:", "a tab in the indentation", "indent with spaces"),
    (AUDIENCE, "title: Lapsed", "title: ‸\x07Lapsed", "a control character (U+0007)", "remove it"),
    (
        AUDIENCE,
        "{maxShrink: 10%}",
        "{‸maxShrink:10%}",
        "`maxShrink` has no space after its colon",
        "`key: value`",
    ),
    (
        AUDIENCE,
        "title: Lapsed",
        "title: a\n‸title: Lapsed",
        "`title` is given twice, first on line 3",
        "keep one",
    ),
    (AUDIENCE, "maxAge: 36h", "maxAge: [[[[[[[[[[[[[[[[[[", "nested too deeply", "close"),
    (AUDIENCE, "title: Lapsed", "‸[a]: b\ntitle: Lapsed", "a key must be text", "put quotes"),
    (AUDIENCE, "title: Lapsed", "‸<<: {a: b}\ntitle: Lapsed", "unknown key this key", "allowed: kind"),
]
SHAPE = [
    (AUDIENCE, "kind: Audience\n", "‸", "a document without `kind`", "Environment, Credential, Connection"),
    (AUDIENCE, "kind: Audience", "‸Kind: Audience", "unknown key `Kind`", "did you mean `kind`?"),
    (AUDIENCE, "kind: Audience", "kind: ‸Audiance", "unknown kind", "did you mean `Audience`?"),
    (AUDIENCE, "kind: Audience", "‸kind:", "`kind` has no value", "allowed: Environment"),
    (AUDIENCE, "title:", "‸titel:", "unknown key `titel`", "did you mean `title`?"),
    (AUDIENCE, "exclude:", "‸exlude:", "unknown key `exlude`", "did you mean `exclude`?"),
    (AUDIENCE, "title:", "‸where: a\ntitle:", "unknown key `where`", "it belongs under `source`"),
    (AUDIENCE, "title:", "‸seat: acme\ntitle:", "unknown key `seat`", "it belongs to kind Destination"),
    (AUDIENCE, "  maxAge", "  ‸title: a\n  maxAge", "unknown key `title`", "it belongs under the top level"),
    (AUDIENCE, "{Email: email,", "{‸email: email,", "unknown key `email`", "did you mean `Email`?"),
    (AUDIENCE, "title: Lapsed buyers\n", "", "`title` is missing from this manifest", "(name at Criteo"),
    (AUDIENCE, 'files: ["customers/*.csv"]\n  ', "", "`files` is missing from `source`", "add `files:`"),
    (AUDIENCE, "title: Lapsed buyers", "‸title:", "`title` has no value", "write text"),
    (AUDIENCE, "title: Lapsed buyers", "title: ‸null", "`title` has no value", "write text"),
    (AUDIENCE, "Nothing in 90 days", "‸null", "`description` has no value", "write text, or remove the key"),
    (AUDIENCE, '"customers/*.csv"', "‸null", "item 1 of `files` has no value", "or remove the item"),
    (AUDIENCE, "title: Lapsed buyers", 'title: ‸""', "`title` is empty", "fill it in"),
    (AUDIENCE, "title: Lapsed buyers", 'title: ‸"  "', "`title` is empty", "say what people should see"),
    (
        AUDIENCE,
        "title: Lapsed buyers",
        "title: ‸|\n  two\n  lines",
        "`title` is not written",
        "one line of text",
    ),
    (AUDIENCE, "title: Lapsed buyers", "title: ‸" + "x" * 257, "257 characters, the limit is 256", "shorter"),
    (AUDIENCE, "Nothing in 90 days", "‸" + "x" * 472, "472 characters, the limit is 471", "shorter"),
    (
        AUDIENCE,
        "[offsite-email, onsite-customer]",
        "‸offsite-email",
        "`destinations` must be a list",
        "- item",
    ),
    (AUDIENCE, "[offsite-email, onsite-customer]", "‸[]", "`destinations` is empty", "fill it in"),
    (AUDIENCE, ", onsite-customer]", ", ‸offsite-email]", "item 2 of `destinations` repeats", "remove it"),
    (AUDIENCE, "guards: {maxShrink: 10%}", "guards: ‸none", "`guards` must be a mapping", "{ }"),
    (AUDIENCE, "name: lapsed-90d", "name: ‸Lapsed_90d", "`name` is not written", "lower-case letters"),
    (AUDIENCE, "name: lapsed-90d", "name: ‸" + "x" * 64, "`name` is not written", "at most 63"),
    (AUDIENCE, "name: lapsed-90d", 'name: ‸"lapsed\\n"', "`name` is not written", "lower-case letters"),
    (AUDIENCE, "maxAge: 36h", "maxAge: ‸36", "`maxAge` is not written", "90s, 30m, 36h or 3d"),
    (AUDIENCE, "maxAge: 36h", 'maxAge: ‸"36 hours"', "`maxAge` is not written", "90s, 30m, 36h or 3d"),
    (
        AUDIENCE,
        "maxShrink: 10%",
        "maxShrink: ‸10",
        "`maxShrink` is not written",
        "a percentage from 0% to 100%",
    ),
    (AUDIENCE, "maxShrink: 10%", "maxShrink: ‸110%", "`maxShrink` is not written", "a percentage"),
    (AUDIENCE, "maxShrink: 10%", "‸maxMissing: 10%", "unknown key `maxMissing`", "allowed: maxShrink"),
    (ENVIRONMENT, "maxGrowth: 100%", "maxGrowth: ‸much", "`maxGrowth` is not written", "250%"),
    (ENVIRONMENT, "rows: 1000", "rows: ‸1_000", "`rows` is not written", "whole number"),
    (ENVIRONMENT, "rows: 1000", "rows: 1,‸000", "a comma in a number ends it", "write 1000, without a comma"),
    (ENVIRONMENT, "rows: 1000", "rows: 1000,‸000", "unknown key this key", "allowed: rows"),
    (ENVIRONMENT, "rows: 1000", "rows: 1,‸000: a", "unknown key this key", "allowed: rows"),
    (ENVIRONMENT, "rows: 1000", "‸000, rows: 1", "unknown key this key", "allowed: rows"),
    (ENVIRONMENT, "rows: 1000", "rows: 1, ‸up", "unknown key `up`", "allowed: rows"),
    (ENVIRONMENT, "rows: 1000", "rows: ‸0", "`rows` is not written", "a whole number from 1"),
    (ENVIRONMENT, "minMembers: 1", "minMembers: ‸01", "`minMembers` is not written", "a whole number"),
    (ENVIRONMENT, "minMembers: 1", "‸minMembers: [1]", "`minMembers` must be a whole number", "digits only"),
    (ENVIRONMENT, "emulator,", "emulator, batchSize: ‸60000,", "`batchSize` is not written", "1 to 50000"),
    (ENVIRONMENT, "emulator,", "emulator, share: ‸0%,", "`share` is not written", "above 0%, up to 100%"),
    (ENVIRONMENT, "emulator,", "emulator, share: ‸0.00%,", "`share` is not written", "above 0%, up to 100%"),
    (ENVIRONMENT, "emulator,", "emulator, share: ‸101%,", "`share` is not written", "above 0%, up to 100%"),
    (ENVIRONMENT, "endpoint: emulator", "endpoint: ‸http://api.criteo.com", "`endpoint` is not", "https://"),
    (ENVIRONMENT, "endpoint: emulator", "endpoint: ‸https://u:p@h.example", "`endpoint` is not", "https://"),
    (ENVIRONMENT, "emulator,", "emulator, tokenUrl: ‸ftp://x,", "`tokenUrl` is not written", "https://"),
    (ENVIRONMENT, '"2026-07"', "‸v1", "`version` is not written", "year and month"),
    (
        ENVIRONMENT,
        '"file:.reconciler/state/sandbox"',
        "‸ftp://state",
        "`url` is not written",
        "write s3://BUCKET",
    ),
    (ENVIRONMENT, '"368477501993431040"', '‸"36847750199343104012"', "`accountId` is not", "up to 19 digits"),
    (ENVIRONMENT, '"368477501993431040"', "‸acme-1", "`accountId` is not written", "a quoted string"),
    (ENVIRONMENT, "  acme:", "  ‸Acme_1:", "`Acme_1` is not a legal name", "lower-case letters"),
    (
        ENVIRONMENT,
        "data: {root: data}\n",
        "",
        "`data` is missing from this manifest",
        "(location of all source files",
    ),
    (ENVIRONMENT, "tolerance: 2%", "tolerance: ‸2", "`tolerance` is not written", "a percentage"),
    (
        DESTINATIONS,
        "Type: Email",
        "Type: ‸email",
        "`identifierType` is not one of",
        "did you mean `Email`? allowed",
    ),
    (
        DESTINATIONS,
        "hashing: sha256",
        "hashing: ‸sha512",
        "`hashing` is not one of",
        "allowed: none, md5, sha256, sha256-of",
    ),
    (
        DESTINATIONS,
        "hashing: sha256",
        "‸form: sha256",
        "`form` is now `hashing`",
        "rename the key",
    ),
    (DESTINATIONS, "hashing: sha256", "‸hashing:", "`hashing` has no value", "allowed: none"),
    (
        DESTINATIONS,
        "adminOnly: false",
        "adminOnly: ‸no",
        "`adminOnly` must be true or false",
        "without quotes",
    ),
    (DESTINATIONS, "pii: hashed", "pii: ‸some", "`pii` is not one of", "allowed: none, hashed, raw"),
    (
        DESTINATIONS,
        "Type: CustomerId",
        "Type: CustomerId\nhashing: ‸md5",
        "`hashing` is not one",
        "allowed: none",
    ),
    (DESTINATIONS, "---", PHONE, "`hashing` is not one of", "allowed: none, sha256"),
    (CREDENTIALS, "grant: authorizationCode", "grant: ‸implicit", "`grant` is not one", "clientCredentials"),
    (CREDENTIALS, "refreshToken: state:criteo\n", "", "`refreshToken` is missing", "(writable reference to"),
    (CREDENTIALS, "grant: authorizationCode\n", "", "`grant` is missing", "allowed: clientCredentials, auth"),
    (DESTINATIONS, "identifierType: Email\n", "", "`identifierType` is missing", "allowed: Email, User"),
    (
        CREDENTIALS,
        "criteo\nredirectUri",
        (
            "criteo\nplan: {grant: authorizationCode, clientId: env:A, clientSecret: env:B, refreshToken: "
            "‸state:criteo, redirectUri: https://a.example/}\nredirectUri"
        ),
        "another application keeps its refresh token there, at environments/sandbox/credentials.yaml:6:15",
        "a place of its own",
    ),
    (CREDENTIALS, "state:criteo", "‸env:TOKEN", "`refreshToken` is not written", "can be written"),
    (
        CREDENTIALS,
        "env:CRITEO_CLIENT_SECRET",
        "‸hunter2",
        "`clientSecret` is not",
        "never write it here: env:NAME",
    ),
    (
        CREDENTIALS,
        "env:CRITEO_CLIENT_SECRET",
        "‸" + "a1" * 16,
        "`clientSecret` is not",
        "refer to the secret",
    ),
    (CREDENTIALS, "env:CRITEO_CLIENT_ID", "‸env:1", "`clientId` is not written", "refer to the secret"),
    (CREDENTIALS, "https://hooks", "‸http://hooks", "`redirectUri` is not", "https://"),
]
PERSONAL = [
    (
        AUDIENCE,
        "Nothing in 90 days",
        "‸Ask ada.adler@acme.example",
        "looks like an e-mail address",
        "source file",
    ),
    (AUDIENCE, "last_order < :today - interval 90 day", "email <> 'a@b.example'", "an e-mail", "source file"),
    (AUDIENCE, "name: lapsed-90d", "name: ‸ada@acme.example", "an e-mail address", "source file"),
    (AUDIENCE, "Nothing in 90 days", "‸Not " + "0f" * 32, "looks like a hashed identifier", "source file"),
    (AUDIENCE, "Nothing in 90 days", "‸Not " + "0F" * 16, "looks like a hashed identifier", "source file"),
    (AUDIENCE, "Nothing in 90 days", "‸Call +44 (20) 7946-0123", "looks like a phone number", "source file"),
    (AUDIENCE, "{Email: email,", "{‸ada@acme.example: email,", "an e-mail address", "source file"),
]
LINKS = [
    (ENVIRONMENT, "name: sandbox", "name: ‸production", "not named like its folder", "`name: sandbox`"),
    (DESTINATIONS, "credential: criteo", "credential: ‸critoe", "no Credential of that name", "`criteo`?"),
    (DESTINATIONS, "seat: acme", "seat: ‸acmee", "no seat of that name", "did you mean `acme`?"),
    (
        AUDIENCE,
        "[offsite-email",
        "[‸offsite-emial",
        "no Destination of that name",
        "did you mean `offsite-email`?",
    ),
    (
        AUDIENCE,
        "[offsite-email",
        "[‸zzz",
        "no Destination",
        "destinations here: offsite-email, onsite-customer",
    ),
    (DESTINATIONS, "---", SECOND, "taken by another Destination", "another name"),
    (
        DESTINATIONS,
        "Email\nhashing: sha256",
        "‸Email",
        "hashing none sends raw e-mail addresses",
        "`hashing: sha256`",
    ),
    (DESTINATIONS, "pii: hashed", "pii: ‸none", "e-mail addresses are personal data", "{pii: hashed}"),
    (
        DESTINATIONS,
        "hashing: sha256",
        "hashing: ‸none",
        "hashing none sends raw e-mail",
        "access: {pii: raw}",
    ),
    (
        AUDIENCE,
        ", CustomerId: customer_id}",
        "}",
        "this destination takes CustomerId",
        "add `CustomerId: <column>`",
    ),
    (
        AUDIENCE,
        "columns: {Email: email}}",
        "columns: {PhoneNumber: tel}}",
        "can't match any member",
        "PhoneNumber",
    ),
    (AUDIENCE, "title: Lapsed buyers", "title: " + "x" * 230, "would have 258 characters", "shorten"),
]
TWO_PHONES = """---
kind: Destination
name: phone-fr
credential: criteo
seat: acme
identifierType: PhoneNumber
hashing: sha256
defaultCountry: FR
---
kind: Destination
name: phone-de
credential: criteo
seat: acme
identifierType: PhoneNumber
hashing: sha256
defaultCountry: DE
---"""
LIST = '{files: ["suppressed.csv"], columns: {Email: email}'
COUNTRIES = [
    (
        AUDIENCE,
        "columns: {",
        "defaultCountry: ‸fr\ncolumns: {PhoneNumber: phone, ",
        "is not written as",
        "as FR,",
    ),
    (
        AUDIENCE,
        "columns: {",
        "defaultCountry: ‸NO\ncolumns: {PhoneNumber: phone, ",
        "a boolean",
        "put quotes",
    ),
    (AUDIENCE, "columns: {", "defaultCountry: ‸UK\ncolumns: {PhoneNumber: phone, ", "no such country", "GB"),
    (
        AUDIENCE,
        "columns: {",
        "defaultCountry: ‸FR\ncolumns: {",
        "names no column for them",
        "`PhoneNumber: <col",
    ),
    (AUDIENCE, LIST, f"{LIST}, defaultCountry: ‸FR", "names no column for them", "or remove it"),
    (
        DESTINATIONS,
        "identifierType: Email",
        "identifierType: Email\ndefaultCountry: ‸FR",
        "takes Email",
        "remove",
    ),
    (
        DESTINATIONS,
        "---",
        PHONE.replace("‸md5", "sha256\ndefaultCountry: ‸XX"),
        "no such country",
        "ISO 3166",
    ),
]
CONFLICT = "<<<<<<< HEAD\ntitle: Lapsed\n=======\ntitle: Buyers\n>>>>>>> lapsed\n"
CONFLICTS = [
    (
        AUDIENCE,
        "title: Lapsed buyers\n",
        f"‸{CONFLICT}",
        "a merge conflict that is not resolved",
        "keep what",
    ),
    (AUDIENCE, "title: Lapsed buyers\n", f"‸{CONFLICT}" * 3, "a merge conflict", "the lines that begin with"),
    (AUDIENCE, "title: Lapsed buyers\n", "title: x\n‸=======\n", "a merge conflict", "<<<<<<<"),
    (AUDIENCE, "title: Lapsed buyers\n", "title: x\r\n‸>>>>>>> lapsed\r\n", "a merge conflict", "<<<<<<<"),
    (AUDIENCE, "title: Lapsed buyers\n", "title: x\n‸||||||| 8813c63\n", "a merge conflict", "<<<<<<<"),
]
TYPES = [
    (AUDIENCE, "{Email: email,", "{‸email: email,", "unknown key `email`", "did you mean `Email`?"),
    (AUDIENCE, "{Email: email,", "{Email: email, ‸hashed_emails: x,", "unknown key", "did you mean `Email`?"),
    (AUDIENCE, "{Email: email,", "{Email: email, ‸msisdn: x,", "unknown key", "did you mean `PhoneNumber`?"),
    (AUDIENCE, "{Email: email,", "{Email: email, ‸mobile: x,", "unknown key", "did you mean `PhoneNumber`?"),
    (AUDIENCE, "{Email: email,", "{Email: email, ‸idfa: x,", "unknown key", "did you mean `UserIdentifier`?"),
    (AUDIENCE, "{Email: email,", "{Email: email, ‸RampID: x,", "unknown key", "did you mean `IdentityLink`?"),
    (AUDIENCE, "{Email: email,", "{Email: email, ‸crm-key: x,", "unknown key", "did you mean `CustomerId`?"),
    (DESTINATIONS, "Type: Email", "Type: ‸E-mail address", "not one of the allowed", "did you mean `Email`?"),
    (
        DESTINATIONS,
        "Type: Email",
        "Type: ‸Telephone",
        "not one of the allowed",
        "did you mean `PhoneNumber`?",
    ),
    (DESTINATIONS, "Type: Email", "Type: ‸quite other", "not one of the allowed", "allowed: Email, User"),
]
SOURCES = [
    (AUDIENCE, '"customers/*.csv"', '‸"custmers/*.csv"', "no file below the data root", "`--data-root`"),
    (AUDIENCE, '"suppressed.csv"', '‸"gone.csv"', "no file below the data root", "correct the pattern"),
    (
        AUDIENCE,
        '"customers/*.csv"',
        f'‸"{"x" * 300}.csv"',
        "no file below the data root",
        "correct the pattern",
    ),
    (AUDIENCE, '"customers/*.csv"', '‸"**.csv"', "no file below the data root", "correct the pattern"),
    (AUDIENCE, '"customers/*.csv"', '‸"../*.csv"', "item 1 of `files` is not written", "below the data root"),
    (AUDIENCE, '"customers/*.csv"', '‸"a/../../*.csv"', "item 1 of `files` is not", "below the data root"),
    (AUDIENCE, '"customers/*.csv"', '‸"/etc/passwd"', "item 1 of `files` is not", "not absolute"),
    (AUDIENCE, '"customers/*.csv"', '‸"C:/x.csv"', "item 1 of `files` is not", "not absolute"),
    (AUDIENCE, '"customers/*.csv"', '‸"s3://b/x.csv"', "item 1 of `files` is not", "below the data root"),
    (
        ENVIRONMENT,
        "root: data",
        "root: ‸dta",
        "the data folder does not exist",
        "relative to the project root",
    ),
]


@pytest.mark.parametrize(
    ("file", "old", "new", "problem", "remedy"),
    [*TRAPS, *INVISIBLE, *SYNTAX, *SHAPE, *PERSONAL, *LINKS, *COUNTRIES, *CONFLICTS, *TYPES, *SOURCES],
)
def test_one_finding_with_its_place_and_the_way_out(
    tmp_path: Path, file: str, old: str, new: str, problem: str, remedy: str
) -> None:
    """One broken thing gives one finding, at the very character."""
    project = Project(tmp_path)
    where = project.edit(file, old, new)
    found = project.findings()
    assert len(found) == 1, [str(finding) for finding in found]
    if "‸" in new:
        assert found[0].where == where
    assert problem in found[0].problem
    assert remedy in found[0].remedy


@pytest.mark.parametrize(
    "title", ["Käufer ✓ 90 Tage", '"Caf\u00e9\\u00a0‘noir’"', "❤\ufe0f", "顧客", "עסקים", "Ｆｕｌｌ"]
)
def test_letters_of_all_scripts_and_emoji_are_allowed(tmp_path: Path, title: str) -> None:
    project = Project(tmp_path)
    project.edit(AUDIENCE, "title: Lapsed buyers", f"title: {title}")
    assert project.findings() == ()


def test_each_different_invisible_character_is_named_once(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.edit(AUDIENCE, "title: Lapsed buyers", "title: L\u200ba\u200bp\u202es")
    found = [(one.where.partition(":")[2], one.problem[-8:]) for one in project.findings()]
    assert found == [("3:9", "(U+200B)"), ("3:13", "(U+202E)")]


def test_destinations_of_one_audience_agree_on_the_default_country(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.edit(DESTINATIONS, "\n---", f"\n{TWO_PHONES}")
    project.edit(AUDIENCE, "columns: {", "columns: {PhoneNumber: phone, ")
    where = project.edit(AUDIENCE, "onsite-customer]", "phone-fr, ‸phone-de]")
    [found] = project.findings()
    assert (found.where, found.problem) == (
        where,
        "this destination's defaultCountry is DE, that of another one FR",
    )
    project.edit(AUDIENCE, "columns: {", "defaultCountry: FR\ncolumns: {")
    assert project.findings() == ()


@pytest.mark.parametrize("nothing", ["", " null", ' ""'])
def test_what_is_required_is_never_to_be_removed(tmp_path: Path, nothing: str) -> None:
    project = Project(tmp_path)
    project.edit(AUDIENCE, "title: Lapsed buyers", f"title:{nothing}")
    assert [finding.remedy for finding in project.findings()] == [
        "write text" if nothing != ' ""' else "fill it in"
    ]
