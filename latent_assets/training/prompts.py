"""The prompts of the evaluation."""

from __future__ import annotations

PROMPTS = (
    "a cat",
    "a dog on a green background",
    "an apple",
    "a guitar at sunset",
    "a castle at night",
    "a rocket in the sky",
    "a penguin in the snow",
    "a slice of pizza",
    "a sunflower in a meadow",
    "a car on a yellow background",
    "a ghost on a black background",
    "a strawberry on a pink background",
    "a fish under water",
    "a cactus in the desert",
    "a painting of an owl",
    "a bee",
    "a house in the snow",
    "a sailboat by the sea",
    "a blue butterfly",
    "a tree on a teal background",
    "a robot",
    "a panda in a forest",
    "an ice cream on a purple background",
    "a bowl of fruit",
)
"""The sheet of 24 prompts by 3 seeds."""

WALKS = (
    ("a cat", "a dog"),
    ("an apple", "a strawberry"),
    ("a castle at night", "a rocket at night"),
    ("a car on a yellow background", "a bus on a yellow background"),
    ("a sunflower in a meadow", "a tulip in a meadow"),
    ("an apple on a blue background", "a pumpkin on a yellow background"),
    ("a house in the snow", "a castle at sunset"),
    ("a penguin in the snow", "an owl in a forest"),
    ("a butterfly in a meadow", "a fish under water"),
    ("a lion in the desert", "a lion at night"),
)
"""Ten walks; in the last five the background changes too."""

GRID_PROMPTS = ("a cat", "an owl", "a rose", "an ice cream")
LOOP_PROMPT = "a butterfly in a meadow"
