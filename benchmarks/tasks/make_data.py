"""Makes the files that are loaded: FOLDER COUNT SEED sorted|scattered|rest|sorted-delta|scattered-delta."""

import sys
from pathlib import Path

from benchmarks.data import write_rest_pages, write_segments
from benchmarks.delta import write_delta

folder, count, seed, kind = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
if kind == "rest":
    write_rest_pages(folder, count, seed)
elif kind.endswith("-delta"):
    write_delta(folder, count, seed, scattered=kind == "scattered-delta")
else:
    write_segments(folder, count, seed, scattered=kind == "scattered")
