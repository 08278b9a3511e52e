"""The crash property's histories on DuckDB, the state on disk, the client and the emulator."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from support.history_parts import parts
from support.integration_simulation import IntegrationEnvironment
from support.simulation import Simulation

pytestmark = pytest.mark.promise("real")


class RealHistories(Simulation):
    """Checks that the real engine and the emulator don't allow during a run happen at its end."""

    def made(self) -> IntegrationEnvironment:
        self.folder = tempfile.TemporaryDirectory()
        return IntegrationEnvironment(Path(self.folder.name))

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.world.close()
            self.folder.cleanup()

    def access_is_lost(self, account: str) -> None:
        """The emulator answers 403 then: another test's."""

    def describe_by_hand(self, number: int, claim: str) -> None:
        """Skip: on the emulator only clients set descriptions."""

    def lose_from_listings(self, number: int) -> None:
        """The emulator lists all it has."""

    def we_know_what_is_held(self) -> None:
        """Snapshots are files here."""

    def _sends_what_is_needed(self, change: object) -> None:
        """The same."""

    def _an_empty_plan_writes_nothing(self) -> None:
        before, written = list(self.world.criteo.writes), self._state()
        self.world.run()
        assert self.world.criteo.writes == before
        assert self._state() == written

    def _state(self) -> dict[str, bytes]:
        """Every file of the state but the lock, which says who held it last, and the records of readings."""
        files = (self.world.folder / "state").rglob("*")
        advisory = {"lock", "sources.json"}
        return {
            str(file): file.read_bytes() for file in files if file.is_file() and file.name not in advisory
        }


LIMITS = settings(
    stateful_step_count=10,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes too long here
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
TestRealHistories1, TestRealHistories2, TestRealHistories3, TestRealHistories4 = parts(
    RealHistories, int(os.environ.get("REAL_HISTORIES", "32")), LIMITS
)
