"""What a killed run goes on from."""

import json
import shutil
from pathlib import Path

import keras

from pipeline import files

STATE, BEST, HISTORY = "state.weights.h5", "best.weights.h5", "history.json"


class CheckpointError(RuntimeError):
    """A kept state that cannot be gone on from."""


class Checkpoint:
    """The weights, optimiser and history after the last whole epoch, in one folder; and the best epoch's weights."""

    def __init__(self, folder: Path, run: str):
        self.folder = folder.with_name(f"{folder.name}-{run}")

    def restore(self, learner: keras.Model) -> list[dict]:
        """Puts the kept state into the learner and returns the history so far.

        Raises:
            CheckpointError: what was kept is damaged.
        """
        learner.optimizer.build(learner.trainable_variables)
        files.recover(self.folder)
        if not self.folder.exists():
            return []
        try:
            history = json.loads((self.folder / HISTORY).read_text(encoding="utf-8"))
            self._load(learner, STATE)
        except (OSError, ValueError) as error:
            raise self._damaged(error) from None
        return history

    def restore_best(self, learner: keras.Model) -> None:
        """Puts the best epoch's weights into the learner.

        Raises:
            CheckpointError: what was kept is damaged.
        """
        self._load(learner, BEST)

    def keep(self, learner: keras.Model, history: list[dict], best: bool) -> None:
        """Replaces what was kept; a kill at any moment leaves one of the two whole."""
        with files.whole_folder(self.folder) as partial:
            learner.save_weights(partial / STATE)
            shutil.copyfile(partial / STATE if best else self.folder / BEST, partial / BEST)
            (partial / HISTORY).write_text(json.dumps(history), encoding="utf-8")

    def forget(self) -> None:
        """Once the result is written."""
        files.recover(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _load(self, learner: keras.Model, name: str) -> None:
        try:
            learner.load_weights(self.folder / name)
        except (OSError, ValueError, KeyError) as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> CheckpointError:
        return CheckpointError(
            f"the interrupted run kept in {self.folder} is damaged ({str(error).splitlines()[0]}); "
            "delete that folder to train from the start"
        )
