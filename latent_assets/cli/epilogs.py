"""What stands below the help of each command: examples, and how it ends."""

import typer

EXIT_CODES = (
    "Exit codes: 0 done; 1 failed; 2 wrong usage, a wrong setting or a wrong file; 130 after"
    " Ctrl-C, all frames kept."
)
SETTINGS = (
    "Settings are environment variables, LATENT_ASSETS_*: `latent-assets doctor` shows what they"
    " amount to, `latent-assets docs cli` has them all."
)
EXAMPLES = {
    "init": ("init my-walks", "init . --no-examples"),
    "validate": ("validate", "validate butterfly other/castle.yaml", "validate --json"),
    "list": ("list", "list --json"),
    "plan": ("plan butterfly", "plan butterfly --frames 240 --model embedded-fast"),
    "new": ("new castle", "new round-and-round --kind noise_loop"),
    "schema": ("schema --write",),
    "import": ("import deforum.json", "import schedule.txt --frames 120 --name spring"),
    "render": (
        "render butterfly",
        "render butterfly castle --draft",
        "render --changed",
        "render - < walk.yaml",
    ),
    "watch": ("watch butterfly --draft", "watch other/castle.yaml"),
    "sample": ('sample "a fox in autumn" --seeds 0-8',),
    "gallery": ("gallery",),
    "verify": ("verify butterfly --sample 5", "verify film.gif"),
    "inspect": ("inspect film.mp4", "inspect film.gif --walk-file again.yaml"),
    "tune-sampler": (
        "tune-sampler embedded --steps 10 --guidance-scale 5",
        "tune-sampler dreamy_v2 --steps 10 --size 256",
    ),
    "stats": ("stats", "stats --json"),
    "gc": ("gc",),
    "ui": ("ui", "ui --port 3001 --no-open"),
    "worker": ("worker", "worker --queue gpu --gpu 0", "worker --queue cpu"),
    "vocabulary": ("vocabulary", "vocabulary purple kangaroo"),
    "doctor": ("doctor", "doctor --json", "doctor --cluster"),
    "docs": ("docs", "docs walk-files"),
}


def add_epilogs(app: typer.Typer) -> None:
    """Below the help of every command that has examples."""
    for command in app.registered_commands:
        name = command.name or str(getattr(command.callback, "__name__", ""))
        command.epilog = _epilog(EXAMPLES[name])


def _epilog(examples: tuple[str, ...]) -> str:
    """An empty line between two of them, without which they would flow together."""
    lines = [f"  latent-assets {each}" for each in examples]
    return "\n\n".join(["Examples:", *lines, EXIT_CODES])
