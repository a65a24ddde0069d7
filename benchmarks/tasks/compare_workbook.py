"""Previews the import of a workbook, as `salesforce-sync import` does: FOLDER FILE. Nothing in it may be new."""

import sys
from pathlib import Path

from salesforce_sync import SFSync
from salesforce_sync.config import Config

folder, file = Path(sys.argv[1]), Path(sys.argv[2])
config = Config.load(environ={"SF_STORAGE_PATH": str(folder / "replica.db")})
with SFSync(config) as sync, sync.import_workbook(file) as preview:
    if not preview.empty:
        sys.exit(f"a workbook that nobody has edited says something new: {preview.counts}")
