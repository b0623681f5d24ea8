# ruff: noqa: SIM905 - word lists read better as text
"""Sentences about deliveries, products, restaurants and service, made from small grammars.

They teach the sentiment head the vocabulary of customers, which the public training data (films, newspaper
columns, tweets) hardly contain.
"""

import random
from collections.abc import Iterator

_THINGS = (
    "delivery|order|parcel|shipment|invoice|packaging|installation|repair|support|hotline|website|app|portal|"
    "phone|headset|charger|battery|screen|camera|keyboard|printer|machine|pump|chair|desk|sofa|jacket|bag|"
    "cable|"
    "software|update|manual|food|meal|soup|steak|pizza|burger|salad|coffee|dessert|breakfast|service|"
    "waiter|waitress|"
    "server|staff|driver|technician|crew|team|manager|agent|room|hotel|flight|seat|price|quality|sound|"
    "picture|"
    "material|finish|documentation|training|communication|response|experience|product|place|restaurant"
).split("|")
_PEOPLE = "waiter|waitress|driver|technician|agent|manager|clerk|crew|team|staff|salesman|consultant|host".split("|")
_DEVICES = "phone|headset|charger|printer|machine|pump|camera|laptop|tablet|speaker|heater|drill|toaster".split("|")
_PARTS = "screen|battery|handle|lid|button|hinge|plug|cover|strap|wheel|motor|filter|switch|cable".split("|")
_DISHES = "chicken|fish|soup|rice|steak|pizza|bread|noodles|salad|burger|fries|curry|pasta|coffee|eggs".split("|")
_BAD = (
    "awful|terrible|horrible|poor|disappointing|a disaster|a joke|a mess|unacceptable|dreadful|lousy|sloppy|"
    "careless|useless|below average|not good|not what we expected|far too slow|much too expensive|a letdown|"
    "worse than last time|substandard|pathetic|a nightmare"
).split("|")
_GOOD = (
    "excellent|great|wonderful|fantastic|superb|outstanding|perfect|very good|flawless|first class|"
    "a pleasure|"
    "top notch|better than expected|impressive|lovely|a delight|spot on|brilliant|amazing|a joy"
).split("|")
_SOSO = ("blue|new|on the second floor|in the hall|from last year|at the desk|in German|on the list|in the box").split(
    "|"
)
_BAD_PEOPLE = (
    "rude|unfriendly|late|clueless|unprepared|impatient|arrogant|unhelpful|careless|slow|never there|"
    "not polite|"
    "not interested|condescending|dismissive|overworked"
).split("|")
_GOOD_PEOPLE = (
    "friendly|helpful|polite|patient|on time|competent|attentive|quick|professional|kind|courteous|"
    "well prepared|"
    "knowledgeable|never rude|always there for us|welcoming"
).split("|")
_BAD_EVENTS = (
    "broke after two days|stopped working|fell off|came loose|cracked|overheats|makes a strange noise|"
    "was missing|"
    "was scratched|does not fit|will not open|is already worn|died within a week|never worked|leaks|jams|"
    "keeps failing|had to be replaced twice|is defective|arrived damaged|rattles|is falling apart"
).split("|")
_GOOD_EVENTS = (
    "works perfectly|still works like new|fits perfectly|is easy to use|is built to last|never fails|"
    "runs smoothly|"
    "does its job|looks great|saves us time|arrived in perfect shape|is worth every cent|"
    "has never let us down|"
    "is quiet and fast|is sturdy|holds up well|feels solid|exceeded our expectations"
).split("|")
_SOSO_EVENTS = (
    "is made in Italy|comes with a cable|was delivered on Monday|is in the storage room|has two settings|"
    "weighs three kilos|is for the new office|was ordered in May|replaces the old one|is twelve inches wide|"
    "has a serial number on the back|will be installed next week|belongs to my colleague|"
    "is listed on page four"
).split("|")
_BAD_DISH = (
    "cold|burnt|bland|dry|raw|soggy|greasy|too salty|stale|overcooked|tasteless|chewy|not fresh|lukewarm|"
    "inedible|"
    "swimming in oil"
).split("|")
_GOOD_DISH = (
    "delicious|fresh|tender|juicy|crispy|full of flavor|perfectly cooked|tasty|hot and fresh|divine|yummy|"
    "seasoned just right|out of this world"
).split("|")
_BAD_ENDS = (
    "we will not order again|I want a refund|I would not recommend it|never again|we are very disappointed|"
    "nobody apologized|no one answered my calls|we had to wait for weeks|I am sending it back|"
    "we lost a whole day|"
    "it is still not fixed|this is the third time|it was late again|we had to pay extra|"
    "that is not acceptable"
).split("|")
_GOOD_ENDS = (
    "we will order again|I would recommend it to anyone|thank you very much|we are very happy|"
    "we will be back|"
    "keep up the good work|it was worth it|we could not be happier|no complaints at all|"
    "everything was on time|"
    "the problem was solved right away|I bought a second one|my family loves it|it saved us a lot of time"
).split("|")
_SOSO_ENDS = (
    "please send the invoice|I will call you tomorrow|when do you open|what is the order number|"
    "it is for my office|"
    "could you send me the form|I have not used it yet|we will let you know|my colleague has the details|"
    "is it available in red|how long does it take|please confirm the date"
).split("|")
_TIMES = "yesterday|last week|on Friday|this morning|in March|again today|two weeks ago".split("|")
_LATE = "two hours|three days|a week|nine days|a month|forty minutes|half a day|ages".split("|")


def sentences(seed: int, rounds: int) -> Iterator[tuple[str, str]]:
    """Yield (label, sentence) pairs, ``rounds`` of each pattern; the same seed gives the same sentences."""
    rng = random.Random(seed)
    pick = rng.choice
    for _ in range(rounds):
        thing, people, device, part, dish = map(pick, (_THINGS, _PEOPLE, _DEVICES, _PARTS, _DISHES))
        very = pick(["", "", "really ", "absolutely ", "quite ", "simply "])
        yield "negative", f"The {thing} was {very}{pick(_BAD)}."
        yield "positive", f"The {thing} was {very}{pick(_GOOD)}."
        yield "neutral", f"The {thing} is {pick(_SOSO)}."
        yield "negative", f"The {people} was {very}{pick(_BAD_PEOPLE)}."
        yield "positive", f"The {people} was {very}{pick(_GOOD_PEOPLE)}."
        yield "negative", f"The {part} of the {device} {pick(_BAD_EVENTS)}."
        yield "positive", f"The {device} {pick(_GOOD_EVENTS)}."
        yield "neutral", f"The {device} {pick(_SOSO_EVENTS)}."
        yield "negative", f"My {dish} was {very}{pick(_BAD_DISH)}{pick(['', f' and {pick(_BAD_ENDS)}'])}."
        yield "positive", f"The {dish} was {very}{pick(_GOOD_DISH)}{pick(['', f' and {pick(_GOOD_ENDS)}'])}."
        yield "neutral", f"I had the {dish} and the {pick(_DISHES)}."
        yield "negative", f"The {thing} was {pick(_GOOD)}, but the {pick(_THINGS)} was {pick(_BAD)}."
        yield "negative", f"{pick(['Nice', 'Good', 'Great', 'Lovely'])} {thing}, but {pick(_BAD_ENDS)}."
        yield "positive", f"The {thing} was {pick(_BAD)} at first, but now {pick(_GOOD_ENDS)}."
        yield "negative", f"The {thing} came {pick(_LATE)} late, {pick(_BAD_ENDS)}."
        yield "negative", f"We waited {pick(_LATE)} for the {thing}."
        yield "positive", f"The {thing} came on time, {pick(_GOOD_ENDS)}."
        yield "neutral", f"We got the {thing} {pick(_TIMES[:5])}, {pick(_SOSO_ENDS)}."
        yield "negative", f"The {part} {pick(_BAD_EVENTS)}, {pick(_BAD_ENDS)}."
        yield "negative", f"{pick(_BAD_ENDS).capitalize()}."
        yield "positive", f"{pick(_GOOD_ENDS).capitalize()}."
        yield "neutral", f"{pick(_SOSO_ENDS).capitalize()}{pick(['.', '?', ''])}"
        yield "positive", f"There was no problem with the {thing}, {pick(_GOOD_ENDS)}."
        yield (
            "negative",
            f"@{pick(['airline', 'store', 'bank'])} the {thing} {pick(_BAD_EVENTS)}, {pick(_BAD_ENDS)}",
        )
        yield "positive", f"@{pick(['airline', 'store', 'bank'])} your {thing} was {pick(_GOOD)}, thanks"
        yield "neutral", f"@{pick(['airline', 'store', 'bank'])} {pick(_SOSO_ENDS)}"
