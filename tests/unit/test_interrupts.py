"""Signals are heard wherever the main thread is, and none is lost."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from handed_over import interrupted

from latent_assets import interrupts


@pytest.fixture(autouse=True)
def _heard_also_under_nohup():
    """It leaves SIGHUP ignored, in pytest and in whatever pytest starts."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def send(number: int = signal.SIGINT, after_s: float = 0.0) -> None:
    threading.Timer(after_s, os.kill, (os.getpid(), number)).start()


def wait(seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)


def test_an_interrupt_waits_for_what_must_be_finished():
    told, finished = [], []
    with interrupts.hearing(), interrupts.telling(told.append):
        assert interrupts.asked() is None
        with pytest.raises(KeyboardInterrupt), interrupts.deferred():  # noqa: PT012 - the block is it
            assert interrupts.is_deferred()
            send()
            while interrupts.asked() is None:
                time.sleep(0.01)
            finished.append(True)
        assert not interrupts.is_deferred()
        assert interrupts.asked() == signal.SIGINT
    assert (told, finished) == ([signal.SIGINT], [True])


def test_a_failure_does_not_swallow_the_interrupt_that_waited():
    with interrupts.hearing(), pytest.raises(KeyboardInterrupt), interrupts.deferred():  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        raise RuntimeError("the batch failed")


def test_what_was_not_interrupted_goes_on():
    with interrupts.hearing(), interrupts.deferred():
        pass
    assert interrupts.asked() is None


def test_what_was_asked_is_known_at_once():
    before = sys.getswitchinterval()
    sys.setswitchinterval(5)  # the thread that hears has no turn of its own accord
    try:
        with interrupts.hearing():
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012
                os.kill(os.getpid(), signal.SIGINT)
                wait()
            assert interrupts.asked() == signal.SIGINT
    finally:
        sys.setswitchinterval(before)


def test_nothing_is_begun_that_would_have_to_be_finished_when_it_was_asked_before():
    begun = []
    with interrupts.hearing():
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            os.kill(os.getpid(), signal.SIGINT)
            wait()
        with pytest.raises(KeyboardInterrupt), interrupts.deferred():
            begun.append(True)
    assert begun == []


def test_what_was_stopped_before_stops_nothing_that_is_begun_later():
    """As in a notebook, where a run was stopped and another thing is rendered."""
    with interrupts.hearing(), pytest.raises(KeyboardInterrupt):  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        wait()
    done = []
    with interrupts.deferred():
        done.append(True)
    assert done == [True]


class Named:
    """Its class is interrupted while it is made, as in an import."""

    def __set_name__(self, owner: type, name: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        wait()


def test_an_interrupt_is_known_in_whatever_an_import_makes_of_it():
    with interrupts.hearing(), pytest.raises((KeyboardInterrupt, RuntimeError)) as caught:
        type("Made", (), {"field": Named()})
    assert interrupts.is_behind(caught.value)
    assert not interrupts.is_behind(RuntimeError("of its own"))


class Finalized:
    """Its end comes while a signal is handled."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):  # the handler runs here, and what it raises is dropped
            pass


def test_an_interrupt_that_a_finalizer_drops_comes_again(capsys):
    seconds = []
    with interrupts.hearing(at_once=seconds.append), pytest.raises(KeyboardInterrupt):  # noqa: PT012
        Finalized()
        wait()
    assert capsys.readouterr().err == ""
    assert seconds == []  # nobody asked twice


def test_another_failure_of_a_finalizer_is_still_shown(monkeypatch):
    shown = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)

    class Wrong:
        def __del__(self) -> None:
            raise ValueError("no interrupt")

    with interrupts.hearing():
        Wrong()
    assert [str(each.exc_value) for each in shown] == ["no interrupt"]


@contextlib.contextmanager
def holding(lock: threading.Lock):
    with lock:
        yield


@pytest.fixture
def considerate():
    """As commands have their handlers."""
    interrupts.raise_keyboard_interrupt()


@pytest.mark.usefixtures("considerate")
@pytest.mark.parametrize("number", interrupts.SIGNALS)
def test_a_lock_that_is_taken_when_the_signal_comes_is_given_back(number):
    lock, entered, seconds = threading.Lock(), [], []
    with interrupts.hearing(at_once=seconds.append):
        with pytest.raises(KeyboardInterrupt), interrupted(holding(lock), number):  # noqa: PT012
            entered.append(True)
            wait()
        assert interrupts.asked() == number
        wait(interrupts.TWICE_S + 0.1)
    assert entered == [True]
    assert not lock.locked()
    assert seconds == []  # nobody asked twice


@pytest.mark.usefixtures("considerate")
def test_where_nobody_hears_a_signal_is_not_put_off():
    with pytest.raises(KeyboardInterrupt), interrupted(holding(threading.Lock()), signal.SIGTERM):
        pytest.fail("it is in the block")


def ends(after_s: float = 60) -> threading.Thread:
    thread = threading.Thread(target=time.sleep, args=(after_s,), daemon=True)
    thread.start()
    return thread


@pytest.mark.usefixtures("considerate")
@pytest.mark.parametrize(
    "waits", [lambda: threading.Event().wait(60), lambda: ends().join(), lambda: time.sleep(60)]
)
def test_who_waits_for_long_is_interrupted_there(waits):
    with interrupts.hearing(), pytest.raises(KeyboardInterrupt):  # noqa: PT012
        send(after_s=0.05)
        waits()


def test_what_is_no_function_stays_a_handler_as_it_is():
    for handler in (signal.SIG_IGN, signal.SIG_DFL, None):
        assert interrupts.considerate(handler) is handler
    once = interrupts.considerate(signal.default_int_handler)
    assert interrupts.considerate(once) is once


STUCK = """
import os, threading
from latent_assets import interrupts
interrupts.raise_keyboard_interrupt()
def stuck(_number):
    print("told", flush=True)
    threading.Event().wait()
with (
    interrupts.hearing(at_once=lambda number: os._exit(128 + number)),
    interrupts.telling(stuck),
    interrupts.deferred(),
):
    print("calls", flush=True)
    threading.Event().wait()
"""


def test_a_second_one_is_heard_while_a_listener_is_stuck():
    with subprocess.Popen(
        [sys.executable, "-c", STUCK], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "calls\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "told\n"
        time.sleep(interrupts.TWICE_S * 2)
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(30) == 128 + signal.SIGTERM
        finally:
            process.kill()


LONG_CALL = """
import ctypes, os, signal
from latent_assets import interrupts
for number in interrupts.SIGNALS:
    signal.signal(number, lambda *_: None)
with interrupts.hearing(at_once=lambda number: os._exit(128 + number)):
    print("calls", flush=True)
    while True:
        ctypes.CDLL(None).sleep(600)
"""


def test_a_second_one_ends_a_process_that_heeds_none():
    with subprocess.Popen(
        [sys.executable, "-c", LONG_CALL], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "calls\n"
        process.send_signal(signal.SIGINT)
        time.sleep(interrupts.TWICE_S / 25)
        process.send_signal(signal.SIGINT)  # an echo
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(interrupts.TWICE_S * 2)
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(30) == 128 + signal.SIGTERM
        finally:
            process.kill()


IGNORING = """
import os, signal, time
signal.signal(signal.SIGHUP, signal.SIG_IGN)
from latent_assets import interrupts
interrupts.raise_keyboard_interrupt()
os.kill(os.getpid(), signal.SIGHUP)
print("lives", flush=True)
try:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
except KeyboardInterrupt:
    print("ends")
"""


def test_sigterm_is_an_interrupt_and_what_nohup_ignores_stays_ignored():
    done = subprocess.run(
        [sys.executable, "-c", IGNORING], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "lives\nends\n"


CLOSING = """
import sqlite3, sys
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.pool import NullPool
from latent_assets import cli

class Interrupted(sqlite3.Connection):
    def close(self):
        raise KeyboardInterrupt

def closing():
    connect = lambda: sqlite3.connect(":memory:", factory=Interrupted)
    NullPool(connect, dialect=SQLiteDialect_pysqlite()).connect().close()

cli._run = closing
cli.main()
"""


def test_an_interrupt_while_a_database_is_closed_shows_no_traceback():
    done = subprocess.run(
        [sys.executable, "-c", CLOSING], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == "latent-assets: interrupted\n"
    assert done.returncode == 130


AT_THE_END = """
import atexit, os, signal, sys, threading
from latent_assets import cli

def run():
    print("done")
    return 0

class Late(threading.Thread):
    def join(self, timeout=None):
        if when == "leaving":
            os.kill(os.getpid(), number)
        super().join(timeout)

when, number = sys.argv[1], int(sys.argv[2])
cli._run = run
threading.Thread = Late
if when == "left":
    atexit.register(lambda: os.kill(os.getpid(), number))
cli.main()
"""


@pytest.mark.parametrize("number", interrupts.SIGNALS)
@pytest.mark.parametrize("when", ["leaving", "left"])
def test_a_signal_when_all_is_done_shows_no_traceback(when, number):
    done = subprocess.run(
        [sys.executable, "-c", AT_THE_END, when, str(int(number))],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("done\n", "")
    assert done.returncode == (0 if when == "leaving" else -number)


@pytest.fixture(scope="module")
def a_command_ran_in_this_process():
    interrupts.by_default()


@pytest.mark.usefixtures("a_command_ran_in_this_process")
def test_what_a_modules_fixture_makes_of_signals_is_not_left_to_its_tests():
    """Else the next signal of any test ends pytest without a word."""
    assert callable(signal.getsignal(signal.SIGINT))
