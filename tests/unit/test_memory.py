"""The memory of a process: glibc itself tells how many arenas it has."""

import re
import subprocess
import sys

PROGRAM = """
import ctypes, sys, threading
from salesforce_sync.process.memory import keep_one_arena
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.fopen.restype = ctypes.c_void_p
if sys.argv[1] == "one":
    keep_one_arena()
meet = threading.Barrier(4)

def allocate():
    libc.malloc(ctypes.c_size_t(1000))
    meet.wait()

threads = [threading.Thread(target=allocate) for _ in range(4)]
[each.start() for each in threads]
[each.join() for each in threads]
told = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, told)
libc.fclose(told)
"""


def arenas(how, told):
    subprocess.run([sys.executable, "-c", PROGRAM, how, str(told)], check=True)
    return len(re.findall("<heap nr=", told.read_text("utf-8")))


def test_threads_share_one_arena(tmp_path):
    assert arenas("one", tmp_path / "one") == 1
    assert arenas("usual", tmp_path / "usual") > 1, "or there is nothing to be limited"
