"""Files that somebody made to do harm: one sentence, soon, and no trace in the terminal.

Each is made of a real one of its format, by a random number alone, so that it can be made again.
"""

import json
import random
import re
import shutil
from pathlib import Path

import pytest
from commands import Command

from latent_assets.foreign import harmless

FORMATS = ("gif", "webp", "mp4", "apng", "avif", "html", "poster")
WALK = f"""\
kind: interpolation
prompts: [a cat, a dog]
frames: 3
output: {{formats: [{", ".join(FORMATS)}], ping_pong: true}}
"""
MOST_S, MOST_KIB = 10.0, 2**20
FEW, ALL = 14, 300
NASTY = (
    *(b"\x1b[2J\x1b[31m", b"\\u001b]0;x\\u0007", b"\\ud800", b"NaN", b"[" * 400, b"[/bold]"),
    *(b"\0", b"1e999", b"-1", b"\\n", "\u202e".encode(), b"\xff" * 4, b"9" * 5000),
)


def crafted(data: bytes, number: int) -> bytes:
    """The file with one to six of: bits flipped, parts cut, doubled, moved, or put in."""
    chance = random.Random(number)
    content = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(content) or 1)
        some = chance.randint(1, 400)
        match chance.randrange(7):
            case 0:
                for _ in range(chance.randint(1, 20)):
                    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            case 1:
                del content[at:]
            case 2:
                del content[at : at + some]
            case 3:
                content[at:at] = content[at : at + some] * chance.choice((1, 2, 3000))
            case 4:
                content[at : at + 4] = chance.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"))
            case 5:
                content[at:at] = chance.choice(NASTY)
            case _:
                inside_a_text(content, chance)
        if not content:
            break
    return bytes(content)


def inside_a_text(content: bytearray, chance: random.Random) -> None:
    """Where a value of the record begins, another."""
    values = [found.end() for found in re.finditer(rb'": ?"?|&quot;:', bytes(content))]
    if values:
        at = chance.choice(values)
        content[at:at] = chance.choice(NASTY)


def peak_kib(command: Command) -> int:
    status = Path(f"/proc/{command._process.pid}/status")
    try:
        found = re.search(r"VmHWM:\s+(\d+)", status.read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def attend(command: Command) -> int:
    """Its peak memory when it has ended, as far as that was seen."""
    peak = 0
    for used in command.living(0.05):
        peak = max(peak, peak_kib(command))
        if used > MOST_S:
            command.kill()
            pytest.fail("it takes too long")
    return peak


def refuse(name: str) -> None:
    raise ValueError(name)


def check(data: Path, path: Path, *arguments: str) -> None:
    command = Command(data, *arguments)
    peak = attend(command)
    answer = command.answer()
    story = (path.name, arguments, answer)
    assert answer.code in ((0, 1, 2) if "verify" in arguments else (0, 2)), story
    assert peak < MOST_KIB, story
    assert "Traceback" not in answer.err + answer.out, story
    for text in (answer.err, answer.out):
        assert harmless(text) == text, story
    if "--json" in arguments:
        assert isinstance(json.loads(answer.out, parse_constant=refuse), dict), story
    elif answer.code == 2:
        assert answer.err.strip(), story


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> Path:
    data = tmp_path_factory.mktemp("crafted") / "data"
    (data / "walks").mkdir(parents=True)
    (data / "walks" / "w.yaml").write_text(WALK)
    answer = Command(data, "render", "w").answer()
    assert answer.code == 0, answer.err
    return data


def files_of(data: Path) -> list[Path]:
    return [*sorted((data / "outputs" / "w").glob("w*.*")), data / "walks" / "w.yaml"]


@pytest.mark.parametrize(
    "numbers",
    [range(FEW), pytest.param(range(FEW, ALL), marks=pytest.mark.slow)],
    ids=["few", "all"],
)
def test_a_crafted_file_is_told_in_words(rendered, tmp_path, numbers):
    files = files_of(rendered)
    assert len(files) > len(FORMATS)
    for number in numbers:
        real = files[number % len(files)]
        path = tmp_path / f"crafted{number}{real.suffix}"
        path.write_bytes(crafted(real.read_bytes(), number))
        options = ("--json",) if number // len(files) % 2 else ()
        if real.suffix == ".yaml":
            check(rendered, path, "validate", str(path), *options)
        else:
            check(rendered, path, "inspect", str(path), *options)
            check(rendered, path, "verify", str(path), *options)
            as_walk = shutil.copy(path, path.with_suffix(".yaml"))
            check(rendered, path, "validate", str(as_walk), *options)
