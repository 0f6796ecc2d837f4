"""Real servers for a cluster on loopback: Redis and PostgreSQL of Debian, workers, runs.

Each has a port and a folder of its own, and is ended by its process id.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from latent_assets.shipped import PROJECT_ROOT

TESTS = PROJECT_ROOT / "tests"
PROGRAM = Path(sys.executable).with_name("latent-assets")
DEADLINE_S = 600.0
PASSWORD = "not-to-be-shown"


def wait_until(holds: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Raises AssertionError after the deadline."""
    until = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < until, f"waited in vain until {what}"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def answers(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def end(process: subprocess.Popen, number: int = signal.SIGTERM) -> None:
    """The whole group, and what does not end is killed."""
    for each in (number, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, each)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
            return


@dataclass
class Redis:
    """A broker with a password."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [
                *("redis-server", "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--requirepass", PASSWORD, "--save", "", "--appendonly", "no"),
                *("--dir", str(self.folder)),
            ],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(lambda: answers(self.port), "Redis answers")

    def lose_everything(self) -> None:
        """Killed; what comes back is empty."""
        self.stop(signal.SIGKILL)
        self.start()

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            end(self.process, number)


@dataclass
class Postgres:
    """A database server; as root it runs as Debian's user postgres."""

    folder: Path
    port: int = field(default_factory=free_port)

    @staticmethod
    def programs() -> Path | None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
        return found[-1].parent if found else None

    @property
    def url(self) -> str:
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def _run(self, program: str, *arguments: str) -> None:
        programs = self.programs()
        assert programs is not None
        command = [str(programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def start(self) -> None:
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            secret = self.folder.with_name(self.folder.name + "-password")
            secret.write_text(PASSWORD)
            if os.geteuid() == 0:
                for path in (self.folder, secret):
                    shutil.chown(path, "postgres", "postgres")
            self._run(
                "initdb", "-D", str(self.folder), "-U", "postgres", "--auth=scram-sha-256",
                f"--pwfile={secret}", "--no-sync",
            )  # fmt: skip
        settings = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -F"
        log = str(self.folder / "log")
        self._run("pg_ctl", "start", "-w", "-D", str(self.folder), "-o", settings, "-l", log)

    def restart(self) -> None:
        self._run("pg_ctl", "stop", "-m", "immediate", "-w", "-D", str(self.folder))
        self.start()

    def stop(self) -> None:
        with suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "stop", "-m", "immediate", "-w", "-D", str(self.folder))


@dataclass
class Cluster:
    """A deployment in one data folder. environment: of all its processes."""

    data: Path
    redis: Redis
    environment: dict[str, str]
    workers: dict[str, subprocess.Popen] = field(default_factory=dict)

    def walk(self, name: str = "walk", **fields: object) -> None:
        document = {
            "kind": "interpolation", "prompts": ["a cat", "a dog"], "frames": 12, "chunk_size": 4,
            "batch_size": 2, "num_steps": 2, "output": {"formats": ["gif"]}, **fields,
        }  # fmt: skip
        folder = self.data / "walks"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text(json.dumps(document))

    def variables(self, more: Mapping[str, str]) -> dict[str, str]:
        """The environment of a process of the cluster."""
        return {
            **{name: value for name, value in os.environ.items() if "LATENT_ASSETS" not in name},
            "PYTHONPATH": f"{TESTS}:{PROJECT_ROOT}",
            "LATENT_ASSETS_DATA": str(self.data),
            "LATENT_ASSETS_EXECUTOR": "celery",
            "LATENT_ASSETS_BROKER": self.redis.url,
            **self.environment,
            **more,
        }

    def problems(self, **more: str) -> list[str]:
        """What `doctor --cluster` finds wrong."""
        command = [str(PROGRAM), "doctor", "--cluster", "--json"]
        done = subprocess.run(
            command, env=self.variables(more), capture_output=True, text=True, check=False
        )
        assert PASSWORD not in done.stdout + done.stderr
        return json.loads(done.stdout)["problems"]

    def start(self, command: list[str], log: str, more: Mapping[str, str]) -> subprocess.Popen:
        """A process of the cluster, in a group of its own."""
        environment = self.variables(more)
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / f"{log}.log").open("ab") as file:
            return subprocess.Popen(
                command, env=environment, stdout=file, stderr=file, start_new_session=True
            )

    def worker(self, name: str, *queues: str, wait: bool = True, **more: str) -> subprocess.Popen:
        chosen = [part for queue in queues for part in ("--queue", queue)]
        command = [str(PROGRAM), "worker", *chosen, "--name", name]
        self.workers[name] = self.start(command, name, more)
        if wait:
            self.wait_for(name, "ready")
        return self.workers[name]

    def log(self, name: str) -> str:
        path = self.data / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_for(self, name: str, words: str, times: int = 1) -> None:
        def there() -> bool:
            gone = name in self.workers and self.workers[name].poll() is not None
            assert not gone or words in self.log(name), self.log(name)[-3000:]
            return self.log(name).count(words) >= times

        wait_until(there, f"{name} says {words!r}:\n{self.log(name)[-3000:]}")

    def render(self, walk: str = "walk", **more: str) -> subprocess.Popen:
        return self.start([sys.executable, str(TESTS / "fake_run.py"), walk], f"run-{walk}", more)

    def result(
        self, run: subprocess.Popen, walk: str = "walk", deadline_s: float = DEADLINE_S
    ) -> dict:
        """What became of a run."""
        run.wait(deadline_s)
        lines = self.log(f"run-{walk}").splitlines()
        assert lines, "the run said nothing"
        assert lines[-1].startswith("{"), "\n".join(lines[-30:])
        return json.loads(lines[-1])

    def close(self) -> None:
        for process in self.workers.values():
            end(process, signal.SIGKILL)
