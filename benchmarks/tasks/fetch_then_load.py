"""What `pull_pages` does, one after the other: curl fetches and inflates every page to disk, then they are loaded.

URL PAGES FOLDER store|import: into a replica by our own store, or by Debian's `sqlite3 .import` (texts only).
"""

import subprocess
import sys
from pathlib import Path

from benchmarks.load import import_command
from benchmarks.measure import task

url, pages, folder, how = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
segments = folder / "segments"
segments.mkdir()
for number in range(pages):
    fetch = ["curl", "--silent", "--fail", "--compressed", "--output", str(segments / f"{number:03}.csv")]
    subprocess.run([*fetch, f"{url}/?locator={number}"], check=True)
load = task("load", segments, folder) if how == "store" else import_command(folder / "imported.db", segments)
subprocess.run(load, check=True)
