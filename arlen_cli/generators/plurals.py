"""English plurals: a table of endings, and tables of the words that do not follow it.

Invariant: the singular of a word's plural is that word. Where English has one plural for two words
(bases of base and basis), the rarer word gets no plural of its own: its plural is the word.
"""

from __future__ import annotations

import re

_IRREGULAR_PAIRS = """
    alumnus:alumni axis:axes calf:calves child:children corpus:corpora criterion:criteria dwarf:dwarves elf:elves
    foot:feet fungus:fungi genus:genera goose:geese grandchild:grandchildren half:halves hoof:hooves
    housewife:housewives index:indexes knife:knives leaf:leaves life:lives loaf:loaves louse:lice man:men
    matrix:matrices medium:media midwife:midwives mouse:mice ox:oxen person:people phenomenon:phenomena quiz:quizzes
    radius:radii scarf:scarves self:selves shelf:shelves bookshelf:bookshelves stimulus:stimuli thief:thieves
    tooth:teeth vertex:vertices wife:wives wolf:wolves woman:women alias:aliases atlas:atlases bias:biases
    canvas:canvases gas:gases pancreas:pancreases cosmos:cosmoses rhinoceros:rhinoceroses thermos:thermoses
    albatross:albatrosses bus:buses iris:irises lens:lenses topaz:topazes trellis:trellises yes:yeses excuse:excuses
    fuse:fuses muse:muses ruse:ruses use:uses avalanche:avalanches cliche:cliches creche:creches niche:niches
    psyche:psyches quiche:quiches spinach:spinaches epoch:epochs monarch:monarchs stomach:stomachs auntie:aunties
    birdie:birdies brownie:brownies calorie:calories cookie:cookies cutie:cuties foodie:foodies genie:genies
    hippie:hippies hoodie:hoodies indie:indies movie:movies newbie:newbies prairie:prairies rookie:rookies
    selfie:selfies smoothie:smoothies sortie:sorties veggie:veggies zombie:zombies cargo:cargoes echo:echoes
    embargo:embargoes hero:heroes mango:mangoes potato:potatoes tomato:tomatoes torpedo:torpedoes veto:vetoes
    volcano:volcanoes emu:emus guru:gurus menu:menus tutu:tutus alibi:alibis api:apis emoji:emojis gui:guis
    khaki:khakis kiwi:kiwis ski:skis taxi:taxis tipi:tipis ui:uis uri:uris wiki:wikis cd:cds dvd:dvds pdf:pdfs
    sdk:sdks tv:tvs vm:vms vpn:vpns
"""

_IRREGULAR = dict(pair.split(":", 1) for pair in _IRREGULAR_PAIRS.split())
"""Singular to plural."""

_SINGULAR = {plural: singular for singular, plural in _IRREGULAR.items()}

_UNCOUNTABLE = frozenset(
    """
    advice aircraft analytics chaos chassis clothes corps data deer dice equipment feedback fish furniture goods
    hardware headquarters information kudos logistics luggage mathematics metadata money music news offspring physics
    pokemon politics scissors series sheep software species staff traffic weather
    """.split()  # noqa: SIM905 - words read better without quotes and commas
)
"""Words whose plural is the word."""

# The first match wins: (ending of the singular, its replacement).
_PLURALS = (
    (r"^([^aeiouy]+s)$", r"\1"),  # an abbreviation: sms, dns
    (r"([^aeiou])y$", r"\1ies"),
    (r"sis$", "ses"),
    (r"(s|x|z|ch|sh)$", r"\1es"),
    (r"$", "s"),
)
# The first match wins: (ending of the plural, its replacement).
_SINGULARS = (
    (r"^([^aeiouy]+s)$", r"\1"),
    (r"^([^aeiou])ies$", r"\1ie"),
    (r"([^aeiou])ies$", r"\1y"),
    (r"(^cri|^oa|empha|gno|ly|neme|synop|the)ses$", r"\1sis"),
    (r"((?:^|[^aeo])ach)es$", r"\1e"),
    (r"(ss|x|zz|tz|ch|sh|[^ao]us)es$", r"\1"),
    (r"([ao]u|ai)s$", r"\1"),
    (r"(ss|us|is)$", r"\1"),
    (r"(?<=.)s$", ""),
)


def plural_of(word: str) -> str:
    """Return the plural of a lower-case singular word."""
    if word in _UNCOUNTABLE:
        return word
    plural = _IRREGULAR.get(word) or _replace_ending(word, _PLURALS)
    return plural if singular_of(plural) == word else word


def singular_of(word: str) -> str:
    """Return the singular of a lower-case word, which may be singular already."""
    if word in _UNCOUNTABLE or word in _IRREGULAR:
        return word
    return _SINGULAR.get(word) or _replace_ending(word, _SINGULARS)


def _replace_ending(word: str, endings: tuple[tuple[str, str], ...]) -> str:
    """Apply the first rule that matches; without a match, return the word unchanged."""
    for ending, replacement in endings:
        changed, count = re.subn(ending, replacement, word, count=1)
        if count:
            return changed
    return word
