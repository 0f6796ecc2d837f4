"""The prompts of the evaluation."""

from __future__ import annotations

PROMPTS = (
    "a cat",
    "a fox in autumn",
    "an astronaut in space",
    "a red car in the city",
    "a castle at sunset",
    "a whale under water",
    "a penguin in the snow",
    "a slice of pizza on a wooden table",
    "a sunflower in a meadow",
    "a hot air balloon high in the sky",
    "a rocket at night",
    "a blue butterfly in a garden",
    "a camel in the desert",
    "an owl in a forest",
    "a sailboat at the beach",
    "a windmill in the mountains",
    "a bowl of fruit on a kitchen table",
    "a teddy bear in a room",
    "a small robot on a yellow background",
    "a large strawberry on a pink background",
    "a purple dragon on a white background",
    "a cat and a balloon",
    "a painting of a tower at night",
    "a sketch of a horse in a meadow",
)
"""The sheet of 24 prompts by 3 seeds."""

WALKS = (
    ("a cat", "a dog"),
    ("an apple", "a strawberry"),
    ("a lion", "a tiger"),
    ("a castle at night", "a rocket at night"),
    ("a car on a yellow background", "a bus on a yellow background"),
    ("a sunflower in a meadow", "a tulip in a meadow"),
    ("a donut on a pink background", "a birthday cake on a pink background"),
    ("a whale under water", "a dolphin under water"),
    ("a guitar", "a violin"),
    ("a sailboat at sunset", "an airplane at sunset"),
    ("a red balloon in the sky", "a blue balloon in the sky"),
    ("a small frog on a green background", "a large frog on a green background"),
    ("a fox in autumn", "a fox in the snow"),
    ("a lion in the desert", "a lion at night"),
    ("an apple on a blue background", "a pumpkin on a yellow background"),
    ("a house in the snow", "a castle at sunset"),
    ("a penguin in the snow", "an owl in a forest"),
    ("a butterfly in a meadow", "a fish under water"),
    ("an astronaut in space", "a robot in the city"),
    ("a painting of a windmill in a meadow", "a sketch of a skyscraper in the city"),
)
"""Twenty walks: ten between things, two of colour and size, eight where the background changes."""

SEEDS_THINGS = ("cat", "apple", "castle", "rocket", "sunflower", "car", "owl", "guitar")
"""What is drawn with eight seeds each, to measure how much a seed changes."""

TINTS_SHOWN = ("cat", "car", "balloon", "butterfly", "dinosaur", "umbrella")
"""Things of the sheet of colours."""

GRID_PROMPTS = ("a cat", "an owl", "a rose", "an ice cream")
LOOP_PROMPT = "a butterfly in a meadow"
