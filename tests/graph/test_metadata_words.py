"""What Dagster's tables say of long texts: the part that a person looks for."""

from latent_assets.orchestration import show
from latent_assets.orchestration.observing import differences

LONG = "a lighthouse on a cliff above the sea, with gulls, seen from afar, at dusk, "


def test_of_two_long_prompts_what_differs_is_shown():
    before, now = {"prompts": [LONG + "in oil", "a"]}, {"prompts": [LONG + "in chalk", "a"]}
    (said,) = differences(before, now)
    assert said.startswith("`prompts[0]`: …")
    assert "in oil" in said.partition("→")[0]
    assert "in chalk" in said.partition("→")[2]
    (said,) = differences({"seed": 1}, {"seed": 2})
    assert said == "`seed`: 1 → 2"


def test_of_long_prompts_that_differ_from_the_start_the_start_is_shown():
    (said,) = differences({"prompt": "x" + LONG}, {"prompt": "y" + LONG})
    assert said.startswith(r"`prompt`: \"xa lighthouse")
    assert said.count("…") == 2


def test_a_warning_that_quotes_a_long_prompt_keeps_its_point():
    shown = show.sentences([f"in {LONG * 20!r} the model does not know gulls", "short"]).md_str
    first, second = shown.splitlines()
    assert first.startswith("- in ")
    assert first.endswith("the model does not know gulls")
    assert len(first) < 600
    assert second == "- short"


def test_an_address_in_a_prompt_is_broken_for_who_makes_links_of_text():
    assert show.escaped("http://a.b") == r"http<!-- -->\:\/\/a\.b"
    assert (
        show.escaped("HTTPS://a www.a me@a") == r"HTTP<!-- -->S\:\/\/a www<!-- -->\.a me<!-- -->\@a"
    )


def test_no_line_begins_with_that_break_which_would_make_html_of_the_rest():
    for text in ("@a <img>", "://a", ".www", " @a"):
        assert not show.escaped(text).startswith("<")


def test_what_was_escaped_can_be_read_again():
    for text in ("![i](http://a.b) me@a", r"a \ b \\! 1 < 2", "a, b: 'c'", "no frame"):
        assert show.plain(show.escaped(text)) == text
