"""The memory of a process: glibc itself tells how many arenas it has."""

import re
import subprocess
import sys

PROGRAM = """
import ctypes, sys, threading
from salesforce_sync.process.memory import spare_memory
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.fopen.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
if sys.argv[1] == "sparing":
    spare_memory()
meet = threading.Barrier(4)

def allocate():
    libc.malloc(ctypes.c_size_t(1000))
    meet.wait()

threads = [threading.Thread(target=allocate) for _ in range(4)]
[each.start() for each in threads]
[each.join() for each in threads]
libc.free(libc.malloc(ctypes.c_size_t(8 << 20)))
large = libc.malloc(ctypes.c_size_t(8 << 20))
told = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, told)
libc.fclose(told)
"""


def told_by_glibc(how, told):
    subprocess.run([sys.executable, "-c", PROGRAM, how, str(told)], check=True)
    text = told.read_text("utf-8")
    by_themselves = re.search(r'<total type="mmap" count="\d+" size="(\d+)"', text)
    return len(re.findall("<heap nr=", text)), int(by_themselves[1])


def test_threads_share_one_arena_and_a_large_block_leaves_no_hole_when_it_is_given_back(tmp_path):
    arenas, by_themselves = told_by_glibc("sparing", tmp_path / "sparing")
    usual_arenas, usual_by_themselves = told_by_glibc("usual", tmp_path / "usual")

    assert arenas == 1
    assert usual_arenas > 1, "or there is nothing to be limited"
    assert by_themselves >= 8 << 20
    assert usual_by_themselves < 8 << 20, "or there is nothing to be set"


UNCOUNTED = """
import apsw, sys
from salesforce_sync.process.memory import leave_uncounted
before = apsw.Connection(":memory:") if sys.argv[1] == "late" else None
if sys.argv[1] != "usual":
    leave_uncounted()
after = apsw.Connection(":memory:")
for connection in filter(None, (before, after)):
    connection.execute("CREATE TABLE t (x)")
    connection.execute("INSERT INTO t VALUES ('a text')")
    assert connection.execute("SELECT x FROM t").get == "a text"
print(apsw.memory_used())
"""


def bytes_counted(how):
    return int(subprocess.run([sys.executable, "-c", UNCOUNTED, how], check=True, capture_output=True).stdout)


def test_sqlite_counts_no_memory_once_it_is_left_uncounted():
    assert bytes_counted("usual") > 0
    assert bytes_counted("early") == 0


def test_sqlite_goes_on_as_it_is_where_a_database_is_open():
    assert bytes_counted("late") > 0


COMMAND = """
import apsw, sys
sys.argv = ["salesforce-sync", "--version"]
from salesforce_sync import cli
try:
    cli.main()
except SystemExit:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t (x)")
    sys.exit(apsw.memory_used() and "counted")
"""


def test_the_command_lets_sqlite_count_no_memory():
    subprocess.run([sys.executable, "-c", COMMAND], check=True, capture_output=True)
