"""`Override` documents: what the manifests alone show of them."""

from pathlib import Path

import pytest
from support.manifest_project import TODAY, Project

from reconciler.core.errors import ConfigurationError
from reconciler.manifests import load, load_offline

pytestmark = pytest.mark.promise("refused-early")

OVERRIDE = """\
kind: Override
address: {address}
guards: {{{guard}: 60%}}
reason: a new feed
expires: ‸"{expires}"
"""


def test_an_override_that_expires_too_late_is_reported_with_everything_else(tmp_path: Path) -> None:
    """At the line of its day. Only `validate` refuses it, so that no run stops for it."""
    project = Project(tmp_path)
    late = OVERRIDE.format(address='"*"', guard="maxShrink", expires="2026-12-09")
    place = project.write("overrides.yaml", late)
    assert [str(one.place) for one in load(tmp_path, "sandbox").overrides] == [place]
    assert load_offline(tmp_path, "sandbox", today=TODAY).overrides
    other = project.edit("environment.yaml", "maxShrink: 20%", "maxShrink: ‸lots")
    with pytest.raises(ConfigurationError) as caught:
        load_offline(tmp_path, "sandbox", today=TODAY)
    assert [one.where for one in caught.value.findings] == [other, place]
    assert "limit 14 days from today" in caught.value.findings[1].problem
