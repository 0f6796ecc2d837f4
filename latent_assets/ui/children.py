"""Processes that end with this one, however it ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from latent_assets.ui import keeper

Say = Callable[[str], None]
PATIENCE_S = 2.5
"""How long a child may take to end by itself."""
TRIES = 3
"""How often a child that ends by itself is started again."""


class Child:
    """A command under a keeper (see `ui.keeper`), its output in a log."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        log: IO[bytes],
    ) -> None:
        """folder: where it runs."""
        inherited, self._pipe = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - commands of our own
                [
                    *(sys.executable, "-I", "-S", keeper.__file__),
                    *(str(inherited), str(PATIENCE_S)),
                    *command,
                ],
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[inherited],
                start_new_session=True,  # who kills this process's group leaves the keeper
            )
        finally:
            os.close(inherited)

    @property
    def exit_code(self) -> int | None:
        """None while it lives."""
        return self._process.poll()

    def end(self) -> None:
        """Ask it to end. Returns at once; safe in a signal handler, and twice."""
        pipe, self._pipe = self._pipe, -1
        if pipe >= 0:
            os.close(pipe)

    def wait(self) -> None:
        """Until it and all that it started have ended, which `end` sees to."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE_S + 2)


@dataclass
class Family:
    """The children, which are started again if they end by themselves."""

    environment: dict[str, str]
    folder: Path
    log: IO[bytes]
    say: Say
    pause_s: float = 1.0
    """Between two looks at them."""
    children: dict[str, tuple[Child, list[str]]] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)
    broken: threading.Event = field(default_factory=threading.Event)
    ended: float | None = None
    """When `end` was called first, seconds since 1970."""

    def start(self, name: str, command: list[str]) -> Child:
        """Start a child. name: for people."""
        child = Child(command, environment=self.environment, folder=self.folder, log=self.log)
        self.children[name] = (child, command)
        return child

    def watch(self) -> None:
        """Until `end`, or until one is given up: start again who ended by itself."""
        tries = 0
        while not self.over.wait(self.pause_s):
            for name, (child, command) in list(self.children.items()):
                if child.exit_code is None or self.over.is_set():
                    continue
                tries += 1
                again = tries <= TRIES
                self.say(
                    f"{name} ended by itself (exit code {child.exit_code})"
                    f"{' and is started again' if again else ''}; see {self.log.name}"
                )
                if again:
                    self.start(name, command)
                else:
                    self.broken.set()
                    return

    def end(self) -> None:
        """Ask all to end. Returns at once; safe in a signal handler, and twice.

        Also within itself: the handler of a second signal may interrupt that of the first, which
        has the event's lock.
        """
        if self.ended is None:
            self.ended = time.time()
            self.over.set()
        for child, _ in list(self.children.values()):
            child.end()

    def wait(self) -> None:
        """Until all have ended, which `end` sees to."""
        for child, _ in list(self.children.values()):
            child.wait()
