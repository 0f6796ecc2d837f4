"""Runs a command, and ends it with all that it started as soon as a pipe closes.

`python -I -S keeper.py PIPE SECONDS COMMAND...`: PIPE is the number of an inherited descriptor
whose other end the parent holds. The system closes that end when the parent ends, however it ends,
kill -9 included. The command's process group then gets SIGTERM, and SIGKILL after SECONDS. Signals
to the parent's group (Ctrl-C, or kill -9 of it) do not reach the command, nor the keeper, which is
started in a session of its own: the parent decides. Nothing but the standard library, and little of
that: it starts in milliseconds and takes a few megabytes.
"""

import os
import select
import signal
import sys
import time

POLL_S = 0.1


def main() -> int:
    """Returns what the command returned, or 0 if it was ended."""
    pipe, patience_s, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        become(command, pipe)
    status = None
    while status is None:
        if select.select([pipe], [], [], POLL_S)[0]:
            end(child, patience_s)
            return 0
        status = ended(child)
    end(child, patience_s)  # what it left behind
    return os.waitstatus_to_exitcode(status)


def become(command: "list[str]", pipe: int) -> None:
    """The command in place of this process, at the head of a group of its own."""
    try:
        os.setsid()
        os.close(pipe)
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_DFL)
        os.execv(command[0], command)  # noqa: S606 - a command of our own, without a shell
    finally:
        os._exit(127)


def ended(child: int) -> "int | None":
    """Its status, if it has ended."""
    try:
        done, status = os.waitpid(child, os.WNOHANG)
    except ChildProcessError:
        return 0
    return status if done else None


def end(group: int, patience_s: float) -> None:
    """End the process group: politely, then not."""
    until = time.monotonic() + patience_s
    signalled = send(group, signal.SIGTERM)
    while signalled and time.monotonic() < until:
        ended(group)
        signalled = send(group, 0)
        time.sleep(POLL_S / 2)
    send(group, signal.SIGKILL)


def send(group: int, number: int) -> bool:
    """Whether there was anybody to get it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
