"""A mistyped argument may be a secret: a usage error repeats words and options at most."""

import pytest

from reconciler.cli import _without_values

pytestmark = pytest.mark.promise("private")


@pytest.mark.parametrize(
    ("message", "typed", "shown"),
    [
        ("No such command 'plam'.", ["plam"], "No such command 'plam'."),
        ("No such option: --detailed-exit", ["--detailed-exit"], "No such option: --detailed-exit"),
        ("Got unexpected extra argument (s3cr3t)", ["plan", "s3cr3t"], "Got unexpected extra argument (…)"),
        ("No such option: --s3cr3t", ["--s3cr3t=x"], "No such option: …"),
        ("'a@b.example' is not one of 'x'", ["--kind=a@b.example"], "'…' is not one of 'x'"),
        ("'s3\\\\cret' is not valid", ["s3\\cret"], "'…' is not valid"),
        ("0 is not in the range x>=1.", ["--times", "0"], "… is not in the range x>=1."),
        ("pass --yes to apply the plan", ["apply", "sandbox"], "pass --yes to apply the plan"),
        ("", [""], ""),
        ("each form needs a file; --json prints", ["--html", "-"], "each form needs a file; --json prints"),
    ],
)
def test_values_are_left_out(message, typed, shown):
    assert _without_values(message, typed) == shown
