"""Writes a replica's objects as a workbook, as `salesforce-sync export` does: FOLDER FILE."""

import sys
from pathlib import Path

from salesforce_sync import SFSync
from salesforce_sync.config import Config

folder, file = Path(sys.argv[1]), Path(sys.argv[2])
config = Config.load(environ={"SF_STORAGE_PATH": str(folder / "replica.db")})
with SFSync(config) as sync:
    sync.export(path=file)
