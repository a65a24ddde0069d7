"""The command line without its start: one process loads the modules, and forks a process of its own for each command.

Loading takes ten times as long as most commands do, and is the same for all of them. A command that is run like this is
otherwise what it is from a shell: a process with its own arguments, environment, folder, streams and exit code.
`python -m tests.loaded FD` is the process that forks; `Loaded` is its owner. Another module may be such a process, too,
for commands of its own.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).parents[1]
WIDEST = 200_000
"""No message, which holds the arguments and the environment of a command, has more bytes."""
READ_AT_START = ("PYTHON", "LANG", "LC_", "TZ")
"""What Python itself reads when it starts: a command for which it differs cannot be forked."""


class Loaded:
    """A process that has the command line loaded; it starts with the first command and ends with this one.

    `module` is what it runs, which calls `main` and then does what was ordered.
    """

    def __init__(self, module: str = "tests.loaded") -> None:
        self._module = module
        self._lock = threading.Lock()
        self._started: tuple[dict[str, str], socket.socket] | None = None

    def run(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        stdin: str,
        seconds: float,
        begun: Callable[[int], object] = lambda pid: None,
    ) -> tuple[int, str, str] | None:
        """Run a command to its end: its exit code, what it printed, and its errors; None where it cannot be forked.

        `begun` is told the number of its process. Raises TimeoutError after so many seconds; the command is killed by
        then.
        """
        if not self._lock.acquire(blocking=False):
            return None  # another thread's command is running: the two are to run beside one another
        try:
            pipe = self._pipe(environment)
            if pipe is None:
                return None
            with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
                given.write(stdin.encode())
                given.seek(0)
                order = json.dumps({"arguments": arguments, "folder": str(folder), "environment": dict(environment)})
                socket.send_fds(pipe, [order.encode()], [each.fileno() for each in (given, out, err)])
                code = _code(pipe, seconds, begun)
                return code, _text(out), _text(err)
        finally:
            self._lock.release()

    def _pipe(self, environment: Mapping[str, str]) -> socket.socket | None:
        """The way to the process, or None for a command whose Python would have started in another way."""
        wanted = {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}
        if self._started is None:
            self._started = wanted, _start(self._module, dict(environment))
        started, pipe = self._started
        return pipe if started == wanted else None


def _start(module: str, environment: dict[str, str]) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        running = subprocess.Popen(
            [sys.executable, "-m", module, str(theirs.fileno())],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    atexit.register(_end, ours, running)
    return ours


def _end(pipe: socket.socket, running: subprocess.Popen[bytes]) -> None:
    pipe.close()
    running.wait(10)


def _code(pipe: socket.socket, seconds: float, begun: Callable[[int], object]) -> int:
    """The exit code of the command that was ordered; a negative one is the signal that ended it."""
    pid = int(pipe.recv(WIDEST))
    begun(pid)
    if not select.select([pipe], [], [], seconds)[0]:
        os.kill(pid, signal.SIGKILL)
        pipe.recv(WIDEST)
        raise TimeoutError(f"a command has not ended after {seconds} seconds")
    return int(pipe.recv(WIDEST))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


# ── The process that forks ───────────────────────────────────────────────────────────────────────────────────────


def main(pipe: socket.socket) -> None:
    """Fork for each command until the owner has gone; returns in the process of a command, which goes on to do it."""
    _load()
    gc.freeze()  # what is loaded is not looked through again by every command
    while True:
        order, streams, _, _ = socket.recv_fds(pipe, WIDEST, 3)
        if not order:
            sys.exit()
        pid = os.fork()
        if pid == 0:
            pipe.close()
            return _become(json.loads(order), streams)
        for each in streams:
            os.close(each)
        pipe.send(str(pid).encode())
        pipe.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _load() -> None:
    """Load what most commands use; the rest is for those who use it."""
    for name in ("yaml", "dotenv", "httpx2", "apsw.ext", "concurrent.futures.thread", "rich.table", "rich.progress"):
        importlib.import_module(name)
    import salesforce_sync

    for package in ("api", "sync", "storage", "workbook"):
        prefix = f"{salesforce_sync.__name__}.{package}."
        for module in pkgutil.walk_packages(importlib.import_module(prefix[:-1]).__path__, prefix):
            if "postgres" not in module.name and "pubsub" not in module.name:
                importlib.import_module(module.name)
    importlib.import_module("salesforce_sync.cli")


def _become(order: dict[str, Any], streams: list[int]) -> None:
    """Take the place of the command that was ordered, as if this process had been started for it."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.path[0] = order["folder"]
    cli = sys.modules["salesforce_sync.cli"]
    sys.argv = [str(cli.__file__), *order["arguments"]]


def do(work: Callable[[], object]) -> NoReturn:
    """Do it and end as Python does, but without taking apart what was loaded, which takes longest."""
    code: object = 1
    try:
        work()
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as Python does before it ends
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else bool(code))


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
    do(sys.modules["salesforce_sync.cli"].main)
