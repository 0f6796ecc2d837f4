"""Phrases that the word vectors would read wrongly or not at all, and the words to read instead.

Written as `what is read: phrases`; a phrase read as nothing is left out in silence.
"""

from __future__ import annotations

_TABLE = """
dog: golden retriever, retriever, labrador, poodle, corgi, terrier, husky, beagle, dachshund
cat: siamese, tabby, feline, kitty
fox: coyote, jackal
lion: leopard, cheetah, panther, puma
tiger: jaguar
horse: stallion, mare, donkey, foal
cow: calf, bull, ox, buffalo, bison
sheep: goat, ram
deer: reindeer, antelope, gazelle
bear: grizzly
raccoon: badger, skunk, otter
squirrel: beaver, hamster, guinea pig
mouse: rat
monkey: chimpanzee, ape, orangutan
elephant: mammoth
rhinoceros: hippopotamus, hippo
bird: sparrow, robin, songbird, finch
eagle: hawk, falcon, vulture
duck: goose, mallard
chick: duckling
rooster: turkey
parrot: toucan, macaw
snake: lizard, cobra, python
turtle: crocodile, alligator
tyrannosaurus: t rex, trex, tyrannosaurus rex
dinosaur: sauropod
whale: orca, humpback
dolphin: seal, porpoise
fish: goldfish, salmon, trout, tuna
octopus: squid
crab: lobster
butterfly: moth, dragonfly
ladybug: beetle
bee: wasp, hornet
ant: bug, insect
spider: tarantula, scorpion
daisy: lily, orchid, petals
cherry blossom: blossoms
tree: trees
pine tree: conifer, spruce
potted plant: sprout, plants
bowl fruit: fruits, fruit salad
tangerine: oranges, mandarin, clementine
cherry: plum, plums
strawberry: raspberries, raspberry
blueberry: blackberries
tomato: tomatoes
bread: baguette, toast
croissant: pastry
donut: bagel
cake: dessert, pie
cookie: cookies
candy: sweets, bonbon
coffee: espresso, cappuccino, cup, mug
wine: glass of wine
beer: ale, lager
hotdog: hot dog, sausage
fries: french fries, chips
noodles: spaghetti, pasta
ice cream: gelato, sundae
egg: eggs
castle: fort, fortress
house: hut, cabin, barn, farmhouse, villa, cottage
skyscraper: tower block, office, hotel
church: cathedral, monastery
temple: pantheon, parthenon, museum
tower: eiffel tower, eiffel, lighthouse, steeple
windmill: mill, windmills
mountain: hill, peak, cliff
car: van, jeep, suv, cars, police car
taxi: cab
motorcycle: motorbike
truck: pickup, fire truck, fire engine
train: tram, subway, steam train
airplane: aeroplane, jet, aircraft
rocket: spacecraft, space ship, space shuttle
ufo: flying saucer
sailboat: yacht
ship: ferry, steamer, ocean liner
balloon: hot air balloon
planet: jupiter, mars
star: stars
snowman: snow man
fire: campfire, bonfire
wave: tsunami
gift: parcel
trophy: cup final, award
football: soccer, soccer ball
smiley: happy, smile, emoji
robot: android, cyborg
ghost: spirit
vampire: dracula
wizard: sorcerer, magician
princess: queen, lady
crown: king
cowboy: sheriff
santa: father christmas
devil: demon
guitar: banjo, ukulele
violin: cello
piano: keyboard
trumpet: trombone
headphones: earphones
hat: straw hat
palm tree: island, tropical
shield sword: knight
shirt: t shirt, tshirt, blouse
dress: gown, skirt
sneaker: trainers, shoes
boot: boots
sunglasses: glasses
handbag: bag
diamond: jewel, crystal gem
ring: engagement ring
clock: watch
phone: mobile phone, cell phone, iphone
television: telly
light bulb: lightbulb
envelope: mail
box: crate, carton
sofa: armchair
pumpkin: jack o lantern
painting: acrylic, impressionist, impressionism, expressionist, van gogh, monet, picasso
painting: gouache, pastel, mural, fresco, canvas, portrait, painted
painting night: starry night
watercolor: watercolour, aquarelle
sketch: architectural, blueprint, charcoal, ink, engraving
drawing: illustration, cartoon, comic, doodle
meadow: holland, countryside, grassland, prairie, pasture, farm
grass: lawn
beach: by the sea, beside the sea, coast, shore, seashore, lake
ocean: sea, seabed, reef, coral reef, aquarium, river
night: moonlight, nighttime, dark night
space: galaxy, cosmos, milky way
sunset: sunrise, dawn, twilight
snow: snowy, snowfall, wintry
sky: cloudy, clouds
sand: sandy, savannah, sahara
forest: woodland, rainforest, wood
city: cityscape, skyline, metropolis, downtown
mountains: hills, highlands, cliffs
garden: flowerbed, backyard
autumn: october, november
kitchen: dining room
room: bedroom, lounge, indoors
grey: gray, silver
blue: azure, navy, light blue, dark blue, cyan
red: crimson, scarlet, maroon
yellow: golden, gold
green: lime, emerald, olive
purple: violet, magenta, lilac, lavender, indigo
pink: rose pink, hot pink
brown: beige, tan
teal: turquoise, aqua
small: mini, miniature
large: giant, enormous, gigantic, great big
: dutch, old, young, sunny, modern, vintage, colorful, colourful, happily, icon, flat, sticker,
  wearing, playing, sleeping, howling, baby, slice, stack, land, steam, piece of, pair of
"""


def _parse() -> dict[str, list[str]]:
    aliases = {}
    for line in _TABLE.replace(",\n", ",").strip().splitlines():
        to, phrases = line.split(":")
        aliases |= {phrase.strip(): to.split() for phrase in phrases.split(",")}
    return aliases


ALIASES = _parse()
"""Phrase -> the trained words that it is read as."""
