"""Where a server listens, and what others know of it."""

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from latent_assets.errors import UsageError
from latent_assets.web import Address, Server, listen, servers
from latent_assets.web.address import addressed
from latent_assets.web.announced import announced


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize("other", ["127.0.0.1", "0.0.0.0"])
def test_a_port_in_use_is_refused_at_once_and_the_option_named(other):
    with socket.socket() as taken:
        taken.bind((other, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} is in use") as told:
            listen(Address(port=port))
    assert "--port" in told.value.cure
    assert told.value.exit_code == 2


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a" * 300])
def test_an_address_of_another_machine_is_refused_in_words(host):
    with pytest.raises(UsageError, match="is no address of this machine"):
        listen(Address(host=host, port=free_port()))


def test_a_connection_made_before_the_server_is_there_waits():
    address = Address(port=free_port())
    with contextlib.closing(listen(address)):
        socket.create_connection(("127.0.0.1", address.port), timeout=5).close()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:3000"),
        ("::1", "http://[::1]:3000"),
        ("0.0.0.0", "http://127.0.0.1:3000"),
        ("walks.local", "http://walks.local:3000"),
    ],
)
def test_the_address_for_programs_on_this_machine(host, url):
    assert Address(host=host).url == url


def test_a_token_is_asked_for_where_others_reach_the_address_and_stays_the_same(tmp_path):
    assert addressed("127.0.0.1", 3000, (), None, tmp_path).token == ""
    token = addressed("0.0.0.0", 3000, (), None, tmp_path).token
    assert len(token) >= 32
    assert addressed("127.0.0.1", 3000, (), True, tmp_path).token == token
    assert addressed("0.0.0.0", 3000, (), False, tmp_path).token == ""
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_a_server_is_known_while_it_lives_and_to_its_user_alone(tmp_path):
    server = Server("http://127.0.0.1:3000", ("dagster", "gallery"), "geheim")
    with announced(tmp_path, 3000, server):
        code = (
            "import sys; from pathlib import Path; from latent_assets.web import servers;"
            "print(servers(Path(sys.argv[1])))"
        )
        told = subprocess.run(
            [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
        )
        assert told.stdout.strip() == str([server])
        assert stat.S_IMODE((tmp_path / "3000.json").stat().st_mode) == 0o600
    assert servers(tmp_path) == []


def test_a_server_that_was_killed_is_not_known_any_more(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from latent_assets.web.announced import *;"
        "a = announced(Path(sys.argv[1]), 3000, Server('http://x')); a.__enter__();"
        "print('up', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    assert [path.name for path in tmp_path.iterdir()] == ["3000.json"]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert servers(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", '{"url": 1}', "\udc80", "{" * 5000])
def test_a_file_that_is_none_of_ours_is_no_server(tmp_path, text):
    Path(tmp_path, "1.json").write_text(text, errors="surrogateescape")
    assert servers(tmp_path) == []
