"""Trained runs of the what-if benchmark, kept in an ordinary folder of runs."""

from __future__ import annotations

from pathlib import Path

from triadapt.config import RunConfig
from triadapt.runs.library import list_runs, new_race
from triadapt.runs.reader import RunReader
from triadapt.runs.store import RunStore
from triadapt.views.what_if.recording import KINDS, Recording, recording_of


class Trained:
    """Runs by configuration: those that the folder holds are read, others are trained and put there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        infos = [info for info in list_runs(folder) if info.state == "finished"]
        self._found = {self._key(RunConfig.model_validate(info.config)): info.id for info in infos}

    def recording(self, config: RunConfig) -> Recording:
        """What a run of this configuration recorded."""
        name = self._found.get(self._key(config)) or self._train(config)
        return recording_of(RunReader(self.folder / name).events_of(*KINDS))

    @staticmethod
    def _key(config: RunConfig) -> str:
        return config.to_toml()

    def _train(self, config: RunConfig) -> str:
        import torch  # noqa: PLC0415  (reading needs none)

        from triadapt.training.train import train  # noqa: PLC0415

        torch.set_num_threads(1)
        race = new_race(self.folder, [config])
        with RunStore.open(race.folders[0]) as store:
            for event in train(config):
                store.append(event)
        self._found[self._key(config)] = race.run_ids[0]
        return race.run_ids[0]
