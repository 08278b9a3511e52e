"""`validate --json`: the valid environments, with their notes; problems are findings of the error."""

from collections.abc import Iterable

from reconciler.core.desired_state import DesiredState
from reconciler.render.json.values import Json
from reconciler.render.text import name, sentence


def validation_values(environments: Iterable[DesiredState]) -> Json:
    return {
        "environments": [
            {
                "environment": name(one.environment.name),
                "audiences": len(one.audiences),
                "segments": len(one.segments),
                "notes": [sentence(note) for note in one.notes],
            }
            for one in environments
        ]
    }
