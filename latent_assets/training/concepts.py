"""What the embedded model is taught to draw, and the words for it.

Every concept is an emoji, drawn in up to three styles (see `artwork.STYLES`), chosen because it
can be told at 128 pixels and is not confused with another one here. The first name is the usual
one. Captions are made of these names only, so the vocabulary stays small and means something.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Concept:
    """One thing that can be drawn. `emoji` is empty for the project's own artwork."""

    names: tuple[str, ...]
    emoji: str

    @property
    def name(self) -> str:
        """The usual name."""
        return self.names[0]


def _parse(table: str) -> tuple[Concept, ...]:
    rows = [line.split(None, 1) for line in table.strip().splitlines()]
    return tuple(
        Concept(tuple(names.split(", ")), "" if emoji == "-" else emoji) for emoji, names in rows
    )


CONCEPTS = _parse(
    """
🐶 dog, puppy, hound
🐱 cat, kitten
🦊 fox
🦁 lion
🐯 tiger
🐴 horse, pony
🐮 cow, cattle
🐷 pig, piglet
🐰 rabbit, bunny
🐻 bear
🐼 panda
🐵 monkey
🐘 elephant
🐸 frog
🐧 penguin
🐔 chicken, hen
🦆 duck
🦉 owl
🦩 flamingo
🐢 turtle, tortoise
🐌 snail
🦋 butterfly
🐝 bee
🐞 ladybug, beetle
🐠 fish
🐳 whale
🦈 shark
🐙 octopus
🦀 crab
🦄 unicorn
🦕 dinosaur
🌻 sunflower
🌹 rose, flower
🌷 tulip
🌳 tree, oak
🌲 pine tree, fir
🌴 palm tree, palm
🌵 cactus
🍄 mushroom, toadstool
🍁 maple leaf, leaf
🍎 apple
🍌 banana
🍓 strawberry
🍊 orange fruit, tangerine
🍋 lemon
🍐 pear
🍇 grapes
🍒 cherries, cherry
🍉 watermelon, melon
🍍 pineapple
🥑 avocado
🥕 carrot
- bowl of fruit, fruit
🍕 pizza
🍔 hamburger, burger
🍟 fries
🍦 ice cream
🍩 donut
🎂 birthday cake, cake
☕ coffee, tea
🍺 beer
🍭 lollipop, candy
🏰 castle, palace
🏠 house, cottage
🏢 skyscraper, building
🗼 tower
- windmill
🏔️ mountain
🌋 volcano
🚗 car, automobile
🚌 bus
🚂 train, locomotive
🚜 tractor
✈️ airplane, plane
🚀 rocket, spaceship
⛵ sailboat, boat
🛸 ufo
🎈 balloon
☀️ sun
🌙 moon
⭐ star
🌈 rainbow
⚡ lightning
🌍 earth, globe, world
🪐 planet, saturn
🔥 fire, flame
❄️ snowflake
⛄ snowman
❤️ heart
😀 smiley, face
😎 sunglasses
🤖 robot
👻 ghost
👽 alien
💀 skull
🎃 pumpkin
👑 crown
🎸 guitar
🔑 key
⏰ clock
📷 camera
📚 books, book
💡 light bulb, lamp
🎁 gift, present
💎 diamond
🔔 bell
🏆 trophy
⚽ football
🏀 basketball
"""
)
