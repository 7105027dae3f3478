"""The part of speech of function words, by themselves and in a chunk where that differs."""

from __future__ import annotations

_BY_TAG = {
    "DET": "the a an this that these those every each some any no another both all which half such what",
    "ADP": "of in on at by with from into for about after before over under between through during "
    "against near around across without within until since behind beyond along despite per via "
    "like unlike among toward towards inside outside above below off up down out onto upon amid "
    "opposite past than as to @ throughout following",
    "PRON": "I he she it we you they me him her us them who whom whose my your his its our their mine "
    "yours myself himself herself itself themselves something nothing everything anything "
    "someone nobody everyone anyone there mine ours u none everybody somebody",
    "AUX": "is are was were be been being am will would can could may might must shall should 'll 're 'm 'd 've ca wo",
    "CCONJ": "and or but nor & yet",
    "SCONJ": "because although though if while whereas unless whether when where how why once",
    "PART": "not n't 's",
    "ADV": "very too also just now then here again still already always never often soon so only even "
    "quite rather really almost ever perhaps maybe however meanwhile therefore instead later "
    "together well away back once twice ahead abroad online home otherwise nearly roughly "
    "probably actually",
    "NUM": "one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty "
    "hundred thousand million billion dozen",
    "INTJ": "hi hello hey thanks yes please wow lol ok okay oh ugh yeah haha sorry dear cheers",
    "SYM": "$ % € £ + = # :) :( :D",
}
_IN_CHUNK = {
    "VP": {"PART": "to", "AUX": "has have had do does did having", "VERB": "like"},
    "NP": {
        "PRON": "that what",
        "ADJ": "more most last next first second third other same own many few much several",
    },
    "SBAR": {"SCONJ": "that as before after until since for so than like"},
    "ADVP": {"ADV": "more most much back up down"},
    "PRT": {"ADP": "up down out off over away back on in around"},
    "ADJP": {"ADV": "more most too very as much"},
}
_BARE = {"SCONJ": "that", "PRON": "what which"}


def _table() -> dict[tuple[str, str | None], str]:
    table: dict[tuple[str, str | None], str] = {}
    for tag, words in _BY_TAG.items():
        table |= {(word, None): tag for word in words.split()}
    for chunk, tags in _IN_CHUNK.items():
        table |= {(word, chunk): tag for tag, words in tags.items() for word in words.split()}
    return table | {(word, None): tag for tag, words in _BARE.items() for word in words.split()}


FUNCTION_WORDS = _table()
"""(word, chunk or None) → UPOS tag."""
