from pathlib import Path

import pytest

from leveret.storage import lmdb_store
from tests.storage.disks import Disk, LmdbDisk, MemoryDisk


@pytest.fixture(params=["memory", "journal", "environment", "at once"])
def disk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """On a real one batches stay in the journal, or each is written to the environment, with the next or at once."""
    if request.param == "memory":
        return MemoryDisk()
    if request.param == "environment":
        monkeypatch.setattr(lmdb_store, "KEPT_BACK_MAX", -1)
    if request.param == "at once":
        monkeypatch.setattr(lmdb_store, "JOURNALED_BYTES_MAX", -1)
    return LmdbDisk(tmp_path)
