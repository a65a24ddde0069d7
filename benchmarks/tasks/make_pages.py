"""Compresses SEGMENTS (files of `make_data`) as an org does its result pages, into FOLDER."""

import gzip
import shutil
import sys
from pathlib import Path

segments, folder = Path(sys.argv[1]), Path(sys.argv[2])
for file in segments.glob("*.csv"):
    with file.open("rb") as plain, gzip.open(folder / f"{file.name}.gz", "wb", compresslevel=6) as packed:
        shutil.copyfileobj(plain, packed, 1 << 20)
shutil.copy(segments / "rows.json", folder)
