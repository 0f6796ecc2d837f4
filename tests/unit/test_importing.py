"""Files of other programs become walks that mean the same, and what has no words here is told."""

import contextlib
import io
import json
import os
import sys

import pytest
from PIL import Image, PngImagePlugin

from latent_assets.cli import main
from latent_assets.importing import Draft, ImportFailedError, Source, draft_of, settle
from latent_assets.walks.loading import load_walk, parse_walk

DEFORUM = {
    "W": 512,
    "H": 768,
    "seed": 42,
    "sampler": "DPM++ 2M Karras",
    "steps": 30,
    "animation_mode": "2D",
    "max_frames": 120,
    "prompts": {
        "0": "a (bunny:1.2), <lora:hairy:0.8>",
        "30": "a cat --neg photo",
        "max_f-1": "a (fruit:`1+t`)",
    },
    "animation_prompts_negative": "nsfw",
    "zoom": "0: (1.0025)",
    "angle": "0:(0)",
    "cfg_scale_schedule": "0:(7), 50:(12)",
    "strength_schedule": "0: (0.65)",
    "seed_behavior": "iter",
    "fps": 15,
    "use_init": True,
    "color_coherence": "LAB",
}
SCHEDULE = '"0": "a cat",\n"24": "a \\"big\\" dog --neg blurry",\n"max_f/2+1": "x",\n'
VIDEOS = {
    "prompts": ["blueberry", "strawberry", "apple"],
    "seeds": [42, 1337, 7],
    "num_interpolation_steps": [10, 5],
    "fps": 10,
    "num_inference_steps": 50,
    "guidance_scale": 8.5,
    "height": 512,
    "width": 640,
    "scheduler": {"_class_name": "EulerDiscreteScheduler"},
    "audio_filepath": "song.mp3",
}
PARAMETERS = (
    "a (cat:1.2), Steps\nNegative prompt: blurry, bad\nSteps: 20, Sampler: DPM++ 2M,"
    " Schedule type: Karras, CFG scale: 7.5, Seed: {seed}, Size: 512x768, Model: dreamy,"
    ' Lora hashes: "x: 1, Seed: 2", Version: v1.9'
)


def imported(content, *, frames=None, name="a.json"):
    if not isinstance(content, bytes):
        content = (content if isinstance(content, str) else json.dumps(content)).encode()
    draft = draft_of([Source(name, content)], frames)
    text = settle(draft, lambda _walk: None)
    return parse_walk(text, name), draft.left_out, text


def png(text, key="parameters"):
    info = PngImagePlugin.PngInfo()
    info.add_text(key, text)
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def places(walk):
    return [(each.prompt, each.at * (walk.frames - 1)) for each in walk.anchors]


def told(left_out, *words):
    return [word for word in words if not any(word in each for each in left_out)] == []


def test_deforums_prompts_stand_on_their_frames_and_its_camera_is_told():
    walk, left_out, text = imported(DEFORUM)
    assert places(walk) == [("a (bunny:1.2),", 0), ("a cat", 30), ("a fruit", 119)]
    assert (walk.frames, walk.seed, walk.num_steps, walk.guidance_scale) == (120, 42, 30, 7.0)
    assert (walk.sampler, walk.spacing, walk.size_px) == ("dpm++2m", "karras", (768, 512))
    assert (walk.negative_prompt, walk.prompt_syntax) == ("nsfw", "weighted")
    assert (walk.output.formats, walk.output.fps, walk.noise) == (["mp4"], 15, "fixed")
    assert told(left_out, "<lora:hairy:0.8>", "`1+t`", '"photo"', "guidance scale changes")
    assert told(left_out, "camera (zoom)", "strength", "begins from", "color_coherence", "(iter)")
    assert not told(left_out, "angle")
    assert all(f"# - {each}\n" in text for each in left_out)


def test_a_camera_that_does_not_move_is_not_told():
    still = {**DEFORUM, "zoom": "0: (1)", "animation_mode": "Interpolation"}
    walk, left_out, _ = imported(still)
    assert walk.noise == "varying"
    assert not told(left_out, "camera")
    assert not told(left_out, "stands for itself")


@pytest.mark.parametrize("content", [b"", b" \n"])
def test_a_file_without_content_is_told_so(content):
    with pytest.raises(ImportFailedError, match="nothing is in it"):
        draft_of([Source("a.json", content)])


def test_settings_that_somebody_shortened_are_deforums_still():
    """Without a mode, a strength by frames is told; a frame that is no number is, by its name."""
    short = {"prompts": {"0": "a cat", "x": "a tree", "9": "a dog"}, "max_frames": 10}
    walk, left_out, _ = imported(short)
    assert places(walk) == [("a cat", 0), ("a dog", 9)]
    assert told(left_out, '"x"')
    assert not told(left_out, "strength")
    _, left_out, _ = imported({**short, "strength_schedule": "0: (0.65)"})
    assert told(left_out, "strength")


def test_a_schedule_needs_a_length_only_if_it_counts_from_the_end():
    with pytest.raises(ImportFailedError, match=r"a\.json: .*how many frames"):
        imported(SCHEDULE)
    walk, left_out, _ = imported(SCHEDULE, frames=80)
    assert left_out == ['the prompt at "max_f/2+1", which is no number of a frame']
    assert [each[1] for each in places(walk)] == [0, 24, 79]
    assert walk.anchors[1].prompt == 'a "big" dog'
    assert walk.negative_prompt == "blurry"
    short, left_out, _ = imported('{"0": "a", "1": "b"}')
    assert (short.frames, [each.prompt for each in short.anchors]) == (2, ["a", "b"])
    assert told(left_out, "2, up to the last prompt")


def test_prompts_on_the_first_two_frames_of_more_are_held_to_the_end():
    walk, _, _ = imported('"0": "a", "1": "b"', frames=5)
    assert places(walk) == [("a", 0), ("b", 1), ("b", 4)]


def test_a_prompt_behind_the_last_frame_is_told_and_one_prompt_alone_is_a_loop():
    walk, left_out, _ = imported('"0": "a cat", "50": "late"', frames=10)
    assert (walk.kind, walk.frames) == ("noise_loop", 10)
    assert told(left_out, "frame 50", "there is one prompt")


def test_the_schedule_of_a_workflow_is_found_in_json_and_in_a_comfyui_picture():
    inputs = {"text": '"0": "spring",\n"12": "winter"', "max_frames": 24, "pre_text": "fine"}
    workflow = {
        "3": {"class_type": "KSampler", "inputs": {"seed": 1}},
        "5": {"class_type": "BatchPromptSchedule", "inputs": inputs},
    }
    for content in (workflow, png(json.dumps(workflow), "prompt")):
        walk, left_out, _ = imported(content)
        held = ("fine winter", 23)
        assert places(walk) == [("fine spring", 0), ("fine winter", 12), held]
        assert told(left_out, "other nodes")


def test_stable_diffusion_videos_config_keeps_seeds_and_places():
    walk, left_out, _ = imported(VIDEOS)
    assert places(walk) == [("blueberry", 0), ("strawberry", 9), ("apple", 13)]
    assert [each.seed for each in walk.anchors] == [42, 1337, 7]
    assert (walk.sampler, walk.size_px, walk.guidance_scale) == ("euler", (512, 640), 8.5)
    assert told(left_out, "14 frames in place of 15", "sound")
    assert imported(VIDEOS, frames=27)[0].frames == 27


def test_webuis_text_is_read_with_its_quotes_and_its_prompt():
    walk, left_out, _ = imported(png(PARAMETERS.format(seed=7)))
    assert (walk.kind, walk.prompt, walk.negative_prompt) == (
        "noise_loop",
        "a (cat:1.2), Steps",
        "blurry, bad",
    )
    assert (walk.seed, walk.num_steps, walk.guidance_scale) == (7, 20, 7.5)
    assert (walk.sampler, walk.spacing, walk.size_px) == ("dpm++2m", "karras", (768, 512))
    assert told(left_out, "dreamy", "Lora hashes", "drawn otherwise")


def test_several_pictures_are_a_walk_from_each_to_the_next_and_other_files_are_not():
    pictures = [Source(f"{n}.png", png(PARAMETERS.format(seed=n))) for n in (1, 2, 3)]
    walk = parse_walk(settle(draft_of(pictures), lambda _: None), "a")
    assert ([each.seed for each in walk.anchors], walk.frames) == ([1, 2, 3], 49)
    with pytest.raises(ImportFailedError, match="only if all are pictures"):
        draft_of([pictures[0], Source("a.json", json.dumps(VIDEOS).encode())])


def test_brackets_that_do_not_close_are_read_as_text_and_told():
    walk, left_out, _ = imported('"0": "a (cat", "9": "b"', frames=10)
    assert walk.prompt_syntax == "text"
    assert told(left_out, "all are read as text")


def test_an_unknown_sampler_has_the_nearest_in_its_place():
    for theirs, ours in (("UniPC", "ddim"), ("Euler a", "euler"), ("DPM++ SDE", "dpm++2m")):
        draft = Draft("x")
        draft.set_sampler(theirs)
        assert draft.document["sampler"] == ours
        assert told(draft.left_out, f'"{theirs}"', f"{ours} in its place")
    draft = Draft("x")
    draft.set_sampler("DPM++ 2M")
    assert (draft.document, draft.left_out) == ({"sampler": "dpm++2m"}, [])


def test_what_no_walk_takes_is_left_out_and_what_none_can_lack_is_refused():
    walk, left_out, _ = imported({**DEFORUM, "steps": 10_000, "fps": 240, "W": 99_999})
    assert (walk.num_steps, walk.output.fps, walk.size) == (25, 10.0, None)
    assert told(left_out, "num_steps 10000", "output.fps 240", "size [768, 99999]")
    with pytest.raises(ImportFailedError, match="frames"):
        imported({**DEFORUM, "max_frames": 10**9})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[1, 2]",
        b"kind: interpolation",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
        b'{"prompts": {"0": 3}, "max_frames": 5, "animation_mode": "2D"}',
        b'{"prompts": ["a"], "num_interpolation_steps": 5}',
        b'{"prompts": [], "num_interpolation_steps": []}',
        b'{"prompts": {}, "max_frames": true, "seed_behavior": 1}',
        b"[" * 100_000,
        b'{"1": {"class_type": "PromptSchedule", "inputs": {"text": "no"}}}',
        png("no settings"),
        png("{}", "prompt"),
    ],
)
def test_what_is_no_such_file_is_refused_by_name(content):
    with pytest.raises(ImportFailedError, match=r"^odd\.bin: "):
        imported(content, frames=5, name="odd.bin")


@pytest.mark.parametrize(
    "content",
    [
        " " * 1_000_000,
        "1" * 1_000_000,
        '"0": "' + " " * 1_000_000 + '"',
        "x\nSteps: 1, " + "a" * 500_000 + " " * 500_000,
        json.dumps({**DEFORUM, "prompts": {"0": "`" * 999_999}}),
        json.dumps({**DEFORUM, "prompts": {"0": ": " * 500_000}, "zoom": "1" * 500_000}),
        json.dumps({**DEFORUM, "prompts": {"0": "<lora:" * 100_000 + "(a:" * 100_000}}),
        json.dumps({**DEFORUM, "prompts": {str(n): f"<lora:{n}>" for n in range(50_000)}}),
    ],
)
def test_a_hostile_file_takes_no_more_time_than_its_length(content):
    with contextlib.suppress(ImportFailedError):
        imported(content, frames=120)  # hours, and so pytest's time-out, if by its square


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    for name in [name for name in os.environ if name.startswith("LATENT_ASSETS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LATENT_ASSETS_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "walks").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["latent-assets", "import", *arguments])
        capsys.readouterr()
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    return command


def test_the_command_writes_a_walk_for_the_model_and_never_over_one(run, tmp_path):
    (tmp_path / "My Café.json").write_text(json.dumps(DEFORUM))
    code, out, _ = run("My Café.json")
    assert code == 0
    assert "size [768, 512]: the model embedded renders 256x256 px only\n" in out
    file = tmp_path / "data" / "walks" / "my-caf.yaml"
    assert load_walk(file).size is None
    written = file.read_text()
    code, _, err = run("My Café.json", "--frames", "60")
    assert (code, file.read_text()) == (2, written)
    assert "--name NAME" in err
    code, out, _ = run("My Café.json", "--name", "b", "--model", "stable-diffusion-1", "--json")
    answer = json.loads(out)
    assert (code, answer["walk"], answer["from"]) == (0, "b", "Deforum's settings")
    walk = load_walk(tmp_path / "data" / "walks" / "b.yaml")
    assert (walk.model, walk.size_px) == ("stable-diffusion-1", (768, 512))


@pytest.mark.parametrize("name", ["none.json", "/dev/zero", "."])
def test_the_command_says_in_words_that_a_file_cannot_be_read(run, name):
    code, _, err = run(name)
    assert code == 2
    assert f"cannot read {name}: " in err
