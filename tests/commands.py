"""The command line on models of numpy alone, each command in a process that can be killed.

The processes are forked from a server that has imported everything: a start takes milliseconds.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import faulthandler
import json
import math
import multiprocessing
import os
import signal
import struct
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

PRELOAD = ["fakes", "latent_assets.cli.app", "latent_assets.orchestration.build", "commands"]
TESTS = Path(__file__).parent
STACKS = signal.SIGUSR1
"""A command that gets it writes down what each of its threads does."""
STACKS_WITHIN_S = 10.0
_DIE_WITH_PARENT = 1  # Linux: prctl(2), PR_SET_PDEATHSIG
_begun: list[Command] = []


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Exactly one JSON object on stdout, and nothing beside it; without its schema's number."""
        document = json.loads(self.out)
        assert isinstance(document, dict)
        if "$schema" not in document:  # JSON Schema has a form of its own
            assert document["schema"], document
            if document["schema"] == 1:
                del document["schema"]
        return document


class Command:
    """`latent-assets ARGUMENTS`, running, at the head of a process group of its own."""

    def __init__(
        self,
        data: Path,
        *arguments: str,
        settings: Mapping[str, str] | None = None,
        pause_s: float = 0.0,
        hold_at: int | None = None,
        powerless: bool = False,
    ) -> None:
        """settings: of LATENT_ASSETS_*, without that; pause_s: of each batch.

        hold_at: the batch that begins after so many frames waits until `let_go`.

        powerless: as a user whom the file system's permissions bind, also if this one is root.
        """
        self._log = data.parent / f"{data.name}.{time.monotonic_ns()}"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LATENT_ASSETS_")}
        environment |= {f"LATENT_ASSETS_{k}": v for k, v in (settings or {}).items()}
        environment["LATENT_ASSETS_DATA"] = str(data)
        arguments_of = (environment, arguments, str(self._log), pause_s, hold_at, powerless)
        self._process = _server().Process(target=_run, args=arguments_of)
        self._process.start()
        _begun.append(self)

    @property
    def cpu_s(self) -> float:
        """The processor time that it has used: how far it is, however busy the machine."""
        assert self._process.pid is not None
        clock = (~self._process.pid << 3) | 2  # Linux: clock_getcpuclockid(3)
        try:
            return time.clock_gettime(clock)
        except OSError:
            return math.inf  # it is over

    def kill(self) -> bool:
        """Kill the whole group, as the kernel or a power cut would. Whether it was not over yet."""
        assert self._process.pid is not None
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:  # over; or not yet at the head of its group
            self._process.kill()
        self._process.join()
        return self._process.exitcode == -signal.SIGKILL

    def signal(self, number: int) -> None:
        """To the process alone, unless it is over."""
        assert self._process.pid is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    @property
    def computes(self) -> bool:
        """Whether it has begun with a batch."""
        return Path(f"{self._log}.computing").exists()

    @property
    def held(self) -> bool:
        """Whether it waits in the batch at which it is held."""
        return Path(f"{self._log}.held").exists()

    def let_go(self) -> None:
        """Let the batch that is held go on."""
        Path(f"{self._log}.held").unlink()

    def said(self) -> str:
        """What stands on stderr by now."""
        return self._text("err")

    def over_within(self, seconds: float) -> bool:
        self._process.join(seconds)
        return self._process.exitcode is not None

    def living(self, look_every_s: float = 0.005, within_s: float = 300) -> Iterator[float]:
        """`cpu_s`, again and again until it is over. Raises AssertionError if it hangs."""
        end = time.monotonic() + within_s
        while not self.over_within(look_every_s):
            if (used := self.cpu_s) < math.inf:
                yield used
            if time.monotonic() > end:
                self._fail()

    def answer(self, within_s: float = 300) -> Answer:
        """Raises AssertionError if it hangs."""
        if not self.over_within(within_s):
            self._fail()
        assert self._process.exitcode is not None
        return Answer(self._process.exitcode, self._text("out"), self._text("err"))

    def _fail(self) -> NoReturn:
        stacks = self._stacks()
        self.kill()
        raise AssertionError(f"it hangs: {self._text('out')}\n{self._text('err')}\n{stacks}")

    def _stacks(self) -> str:
        """What it is and what its threads do, as far as it tells."""
        end = time.monotonic() + STACKS_WITHIN_S
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{self._process.pid}/status").read_text()
            self.signal(STACKS)
            while not self._text("stacks") and time.monotonic() < end:
                time.sleep(0.1)
            time.sleep(0.5)  # for the rest of it
            return f"{status}\n{self._text('stacks')}"
        return "it ended just now"

    def _text(self, name: str) -> str:
        path = Path(f"{self._log}.{name}")
        return path.read_text(errors="replace") if path.exists() else ""


def kill_what_is_left() -> None:
    """All commands that are not over yet: whoever started them is."""
    while _begun:
        command = _begun.pop()
        if not command.over_within(0):
            command.kill()


# Else multiprocessing would wait for them at the end, however long that takes.
atexit.register(kill_what_is_left)


def _server() -> Any:
    # The server finds the tests by this variable alone.
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if str(TESTS) not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(TESTS), *paths]))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    return context


def _run(
    environment: dict[str, str],
    arguments: tuple[str, ...],
    log: str,
    pause_s: float,
    hold_at: int | None,
    powerless: bool,
) -> None:
    from fakes import fake_studio  # noqa: PLC0415 - tests that only start commands need no fakes

    from latent_assets.cli import main  # noqa: PLC0415
    from latent_assets.studio import Studio  # noqa: PLC0415

    os.setsid()
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    faulthandler.register(STACKS, Path(f"{log}.stacks").open("w"))  # noqa: SIM115 - kept open
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup` around the tests ignores it
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{log}.{name}", os.O_CREAT | os.O_WRONLY, 0o600), number)
    os.environ.clear()
    os.environ.update(environment)
    if powerless:
        _drop_capabilities()

    held = Path(f"{log}.held")

    def before_batch(done: int) -> None:
        Path(f"{log}.computing").touch()
        time.sleep(pause_s)
        if done == hold_at:
            held.touch()
        while held.exists():
            time.sleep(0.01)

    Studio.open = lambda settings: fake_studio(
        settings.data, before_batch=before_batch, settings=settings
    )
    sys.argv = ["latent-assets", *arguments]
    main()


def _drop_capabilities() -> None:
    """Linux: root without its capabilities is bound by permissions as every owner is."""
    version_3, nobody = 0x20080522, bytes(24)
    ctypes.CDLL(None).capset(struct.pack("<Ii", version_3, 0), nobody)
