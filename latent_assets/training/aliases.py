"""Phrases that the word vectors would read wrongly or not at all, and the words to read instead.

Written as `what is read: phrases`; a phrase read as nothing is left out in silence.
"""

from __future__ import annotations

_TABLE = """
dog: golden retriever, retriever, labrador, poodle, corgi, terrier, husky, beagle, dachshund
cat: siamese, tabby
fox: wolf, coyote, jackal
horse: stallion, mare, donkey, zebra
cow: calf, bull, goat, sheep
bear: teddy bear, teddy, grizzly, koala
mountain: hill, hills, cliff, peak
owl: bird, eagle, hawk, parrot, sparrow, songbird
duck: goose, swan
butterfly: moth, dragonfly
ladybug: ant, bug, insect
dinosaur: dragon, crocodile, t rex
turtle: snake, lizard
octopus: jellyfish, squid
whale: dolphin, orca, seal
flower: daisy, orchid, lily, petals, bouquet, blossom
orange fruit: orange fruit, an orange, oranges, peach, mandarin
bowl fruit: fruits, fruit salad
cherry: plum, raspberry, blueberries
strawberry: raspberries
apple: tomato, red apple
banana: bananas
carrot: potato, onion
pizza: bread, cheese, pie
donut: bagel, doughnut
cake: cupcake, muffin, dessert
candy: sweets
coffee: espresso, cup, mug
castle: knight, fortress, fort, igloo
house: hut, cabin, barn, farmhouse, villa, igloo
skyscraper: city, cityscape, skyline, metropolis, tower block, town
building: office, hotel
tower: eiffel tower, eiffel, lighthouse, steeple, pyramid
windmill: mill, windmills
car: taxi, van, lorry, truck, motorcycle
train: tram, subway
airplane: aeroplane, jet, helicopter, drone
rocket: spacecraft, space ship, space shuttle
ufo: flying saucer
balloon: hot air balloon
planet: galaxy, mars, jupiter, comet, satellite
earth: globe
snowman: person, man, boy
smiley: happy, smile, woman, girl, child
robot: android, cyborg
alien: astronaut, monster
ghost: zombie, vampire, witch
guitar: violin, cello, piano
football: soccer, soccer ball
pumpkin: jack o lantern
crown: king, queen, prince, princess
key: keys
diamond: jewel, gem, crystal, ring
trophy: gold medal, cup final
clock: watch, alarm clock
books: laptop, newspaper
painting: oil, acrylic, impressionist, impressionism, expressionist, van gogh, monet, picasso
painting: gouache, pastel, mural, fresco, canvas, portrait, brush
painting night: starry night
watercolor: watercolour, aquarelle
sketch: architectural, blueprint, pencil, charcoal, ink, engraving
drawing: illustration, cartoon, comic, doodle, logo
icon: emoji, sticker, symbol, clipart
flat: vector, minimalist
meadow: holland, countryside, garden, park, grassland, prairie, pasture, farm
grass: lawn
beach: by the sea, beside the sea, coast, shore, seashore, island, lake
ocean: sea, seabed, reef, coral reef, aquarium, river
night: space, outer space, stars, moonlight, galaxy background, universe, dark, nighttime
sunset: sunrise, dawn, twilight
snow: snowy, snowfall, wintry
sky: cloudy
sand: sandy, savannah, sahara
forest: woodland, rainforest
grey: gray, silver
blue: sky blue, azure, navy, light blue, dark blue, cyan
red: crimson, scarlet, maroon
yellow: golden, gold, lemon yellow
green: lime green, emerald, olive green
purple: violet, magenta, lilac, lavender, indigo
pink: rose pink, hot pink
brown: beige, tan
teal: turquoise, aqua
: hot air, dutch, old, young, sunny, wooden, modern, vintage, colorful, colourful, happily
"""


def _parse() -> dict[str, list[str]]:
    aliases = {}
    for line in _TABLE.strip().splitlines():
        to, phrases = line.split(":")
        aliases |= {phrase.strip(): to.split() for phrase in phrases.split(",")}
    return aliases


ALIASES = _parse()
"""Phrase -> the trained words that it is read as."""
