from pathlib import Path

import pytest

from tests.storage.disks import Disk, LmdbDisk, MemoryDisk


@pytest.fixture(params=["memory", "lmdb"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return MemoryDisk() if request.param == "memory" else LmdbDisk(tmp_path)
