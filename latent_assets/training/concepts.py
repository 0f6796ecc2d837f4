"""What the embedded model is taught to draw, and the words for it.

Every concept is an emoji of one package of shaded drawings (see `artwork`), chosen because it looks
good and is not confused with another one here. The first name is the usual
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
🐺 wolf
🦝 raccoon
🦁 lion
🐯 tiger
🐴 horse, pony
🦄 unicorn
🦓 zebra
🦌 deer, stag
🫎 moose, elk
🐮 cow, cattle
🐷 pig, piglet
🐑 sheep, lamb
🐫 camel
🦙 llama, alpaca
🦒 giraffe
🐘 elephant
🦏 rhinoceros, rhino
🐭 mouse
🐰 rabbit, bunny
🦔 hedgehog
🦇 bat
🐻 bear
🐻‍❄️ polar bear
🐨 koala
🐼 panda
🦥 sloth
🦘 kangaroo
🐵 monkey
🦍 gorilla
🐿️ squirrel, chipmunk
🐓 rooster, chicken, hen
🐤 chick
🐦 bird, cardinal
🐧 penguin
🕊️ dove, pigeon
🦅 eagle
🦆 duck
🦢 swan
🦉 owl
🦩 flamingo
🦚 peacock
🦜 parrot
🐸 frog
🐢 turtle, tortoise
🐍 snake
🐉 dragon
🦕 dinosaur, brontosaurus
🦖 tyrannosaurus
🐳 whale
🐬 dolphin
🐠 fish
🦈 shark
🐙 octopus
🐚 shell, seashell
🪼 jellyfish
🦀 crab
🦐 shrimp, prawn
🐌 snail
🦋 butterfly
🐛 caterpillar
🐜 ant
🐝 bee, honeybee
🐞 ladybug, ladybird
🕷️ spider
💐 bouquet
🌸 cherry blossom, sakura
🪷 lotus
🌹 rose
🌺 hibiscus
🌻 sunflower
🌼 daisy, flower
🌷 tulip
🪴 potted plant, houseplant
🌲 pine tree, fir
🌳 tree, oak
🌴 palm tree, palm
🌵 cactus
🍀 clover
🍁 maple leaf
🍄 mushroom, toadstool
- bowl of fruit, fruit
🍇 grapes
🍉 watermelon
🍊 tangerine, orange fruit
🍋 lemon
🍌 banana
🍍 pineapple
🍎 apple
🍐 pear
🍑 peach
🍒 cherries, cherry
🍓 strawberry
🫐 blueberries, blueberry
🥝 kiwi
🍅 tomato
🥑 avocado
🍆 eggplant, aubergine
🥕 carrot
🌽 corn, maize
🥦 broccoli
🧅 onion
🍞 bread, loaf
🥐 croissant
🥨 pretzel
🥞 pancakes
🧇 waffle
🧀 cheese
🍔 hamburger, burger
🍟 fries
🍕 pizza
🌭 hotdog
🥪 sandwich
🌮 taco
🥚 egg
🍿 popcorn
🍜 noodles, ramen
🍣 sushi
🍦 ice cream
🍩 donut, doughnut
🍪 cookie, biscuit
🎂 birthday cake
🍰 cake, shortcake
🧁 cupcake, muffin
🍫 chocolate
🍬 candy
🍭 lollipop
🍮 pudding, custard
🍯 honey
☕ coffee
🫖 teapot
🍷 wine
🍸 cocktail, martini
🍺 beer
🧋 bubble tea
🏺 vase, amphora
🌍 earth, globe, world
🧭 compass
🏔️ mountain
🌋 volcano
🏠 house, home
🏢 skyscraper, building
🏰 castle, palace
- windmill
🏛️ temple
🗼 tower
🗽 statue of liberty, statue
⛪ church, chapel
⛲ fountain
⛺ tent
🎠 carousel
🎡 ferris wheel
🎪 circus
🚂 train, locomotive
🚌 bus
🚕 taxi
🚗 car, automobile
🚚 truck, lorry
🚜 tractor
🏍️ motorcycle
🛵 scooter, moped
🚲 bicycle, bike
🛹 skateboard
🛼 roller skate
🚦 traffic light
⚓ anchor
🛟 lifebuoy
⛵ sailboat, boat
🚢 ship
✈️ airplane, plane
🚁 helicopter
🚀 rocket, spaceship
🛸 ufo
🧳 suitcase, luggage
⌛ hourglass
⏰ clock, alarm clock
🌙 moon, crescent
☀️ sun
☁️ cloud
🪐 planet, saturn
⭐ star
🌈 rainbow
☂️ umbrella
⚡ lightning
❄️ snowflake
⛄ snowman
🔥 fire, flame
💧 drop, droplet
🌊 wave
🎃 pumpkin
🎄 christmas tree
🎈 balloon
🎀 bow, ribbon
🎁 gift, present
🏆 trophy
⚽ football
⚾ baseball
🏀 basketball
🎾 tennis racket, racket
🥊 boxing glove
🛷 sled, sledge
🎯 target, dartboard
🪁 kite
🔮 crystal ball
🪄 magic wand, wand
🎮 gamepad, controller
🎲 dice
🧩 puzzle piece, jigsaw
🧸 teddy bear
🪅 pinata
🪩 disco ball
🪆 nesting doll, matryoshka
🎨 palette
🧶 yarn, wool
🕶️ sunglasses
👕 shirt
🧣 scarf
🧦 socks
👗 dress
👜 handbag, purse
🎒 backpack, rucksack
👟 sneaker, shoe
🥾 boot
👑 crown
👒 hat
🎩 top hat
🧢 cap
💍 ring
💎 diamond, gem
🔔 bell
🎵 musical note, music
🎤 microphone
🎧 headphones
🎷 saxophone
🎺 trumpet
🎸 guitar
🎹 piano
🎻 violin, fiddle
🥁 drum
📱 phone, smartphone
☎️ telephone
💻 laptop, computer
📺 television, tv
📷 camera
💡 light bulb, lamp
🏮 lantern
📚 book, books
✉️ envelope, letter
📦 box, package
📫 mailbox
✏️ pencil
🖌️ paintbrush, brush
✂️ scissors
🔒 lock, padlock
🔑 key
🔨 hammer
💣 bomb
🗡️ sword, dagger
🛡️ shield
🧲 magnet
🔬 microscope
🔭 telescope
🚪 door
🪑 chair
🛋️ sofa, couch
🛏️ bed
🛁 bathtub
🧹 broom
🧺 basket
🪣 bucket
🗿 moai
🕯️ candle
❤️ heart
😀 smiley, face
🤠 cowboy
😈 devil
💀 skull
🤡 clown
👻 ghost
👽 alien
🤖 robot
🧑‍🚀 astronaut, spaceman
🧙‍♂️ wizard
🧜‍♀️ mermaid
🧛 vampire
👸 princess
🎅 santa claus, santa
🥷 ninja
👨‍🍳 chef, cook
👁️ eye
🦷 tooth
"""
)
