"""A data folder may have any name that the system allows: the same results, and nothing outside."""

from pathlib import Path

import pytest
from commands import Command

pytestmark = pytest.mark.slow

WALK = """\
kind: interpolation
prompts: [a, b]
frames: 4
output: {formats: [gif, mp4, webp, apng, avif, html], ping_pong: true}
"""
KINDS = {".gif", ".mp4", ".webp", ".png"}
"""An APNG is a .png; AVIF files and pages say when they were made."""
NAMES = ["Renders [2026] 100%20 'für' \"書\" ~", "what?x=1&y#z;* a::b \\ {c} $HOME"]


def made(folder: Path) -> dict[str, bytes]:
    """The finished files, and the frames."""
    found = [*(folder / "outputs").rglob("*"), *(folder / "store" / "frames").rglob("*")]
    return {path.name: path.read_bytes() for path in found if path.suffix in KINDS}


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> dict[str, bytes]:
    data = tmp_path_factory.mktemp("plain") / "data"
    return render(data)


def render(data: Path) -> dict[str, bytes]:
    (data / "walks").mkdir(parents=True)
    (data / "walks" / "w.yaml").write_text(WALK)
    answer = Command(data, "render", "w", "--json").answer()
    assert answer.code == 0, answer.err
    assert all(Path(path).is_file() for path in answer.json["outputs"])
    return made(data)


def beside(data: Path) -> list[str]:
    """What lies in the folder of the data folder, without it and what these commands said."""
    names = [path.name for path in data.parent.iterdir()]
    assert data.name in names
    return [name for name in names if name != data.name and not name.startswith(f"{data.name}.")]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_with_an_odd_name_gives_the_same_files(tmp_path, plain, name):
    data = tmp_path / "in" / name
    found = render(data)
    assert found.keys() == plain.keys()
    outputs = {file for file in plain if file.startswith("w")}
    assert len(outputs) >= 4
    assert {file: found[file] for file in outputs} == {file: plain[file] for file in outputs}
    assert beside(data) == []

    for arguments, code in (
        (("plan", "w"), 0),
        (("verify", str(data / "outputs" / "w" / "w.gif")), 0),
        (("inspect", str(data / "outputs" / "w" / "w.mp4")), 0),
        (("gc", "--unreferenced", "--runs", "30d"), 0),
        (("stats",), 0),
        (("list",), 0),
    ):
        answer = Command(data, *arguments, "--json").answer()
        assert answer.code == code, (arguments, answer.err)
        assert answer.json
    again = Command(data, "render", "w", "--json").answer()
    assert (again.json["rendered"], again.json["reused"]) == (0, 4)
    assert beside(data) == []
