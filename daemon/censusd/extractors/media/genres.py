"""The genres that ID3v1 numbers, with Winamp's extensions, and the ways of pointing at them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

GENRES: Final = tuple(
    """Blues|Classic Rock|Country|Dance|Disco|Funk|Grunge|Hip-Hop|Jazz|Metal|New Age|Oldies|Other|Pop|
R&B|Rap|Reggae|Rock|Techno|Industrial|Alternative|Ska|Death Metal|Pranks|Soundtrack|Euro-Techno|
Ambient|Trip-Hop|Vocal|Jazz+Funk|Fusion|Trance|Classical|Instrumental|Acid|House|Game|Sound Clip|
Gospel|Noise|Alternative Rock|Bass|Soul|Punk|Space|Meditative|Instrumental Pop|Instrumental Rock|
Ethnic|Gothic|Darkwave|Techno-Industrial|Electronic|Pop-Folk|Eurodance|Dream|Southern Rock|Comedy|
Cult|Gangsta|Top 40|Christian Rap|Pop/Funk|Jungle|Native US|Cabaret|New Wave|Psychedelic|Rave|
Showtunes|Trailer|Lo-Fi|Tribal|Acid Punk|Acid Jazz|Polka|Retro|Musical|Rock & Roll|Hard Rock|Folk|
Folk-Rock|National Folk|Swing|Fast Fusion|Bebop|Latin|Revival|Celtic|Bluegrass|Avantgarde|
Gothic Rock|Progressive Rock|Psychedelic Rock|Symphonic Rock|Slow Rock|Big Band|Chorus|Easy Listening|
Acoustic|Humour|Speech|Chanson|Opera|Chamber Music|Sonata|Symphony|Booty Bass|Primus|Porn Groove|
Satire|Slow Jam|Club|Tango|Samba|Folklore|Ballad|Power Ballad|Rhythmic Soul|Freestyle|Duet|
Punk Rock|Drum Solo|A Cappella|Euro-House|Dance Hall|Goa|Drum & Bass|Club-House|Hardcore|Terror|
Indie|BritPop|Afro-Punk|Polsk Punk|Beat|Christian Gangsta Rap|Heavy Metal|Black Metal|Crossover|
Contemporary Christian|Christian Rock|Merengue|Salsa|Thrash Metal|Anime|JPop|Synthpop|Abstract|
Art Rock|Baroque|Bhangra|Big Beat|Breakbeat|Chillout|Downtempo|Dub|EBM|Eclectic|Electro|
Electroclash|Emo|Experimental|Garage|Global|IDM|Illbient|Industro-Goth|Jam Band|Krautrock|Leftfield|
Lounge|Math Rock|New Romantic|Nu-Breakz|Post-Punk|Post-Rock|Psytrance|Shoegaze|Space Rock|Trop Rock|
World Music|Neoclassical|Audiobook|Audio Theatre|Neue Deutsche Welle|Podcast|Indie Rock|G-Funk|
Dubstep|Garage Rock|Psybient""".replace("\n", "").split("|")
)
_SPOKEN: Final = frozenset(
    ("Speech", "Audiobook", "Audio Theatre", "Podcast", "Other", "Comedy", "Humour", "Satire", "Game")
)
MUSIC: Final = frozenset(genre.lower() for genre in GENRES if genre not in _SPOKEN)
"""Genres that say that something is music."""
_POINTER: Final = re.compile(r"\((\d{1,3}|RX|CR)\)")
_SPECIAL: Final = {"RX": "Remix", "CR": "Cover"}


def genre_names(text: str) -> Iterator[str]:
    """The genres that an ID3 frame means: ``(17)Rock``, ``17``, ``(4)(RX)Euro`` or just names.

    >>> list(genre_names("(17)(RX)Classic")), list(genre_names("183"))
    (['Rock', 'Remix', 'Classic'], ['Audiobook'])
    """
    text = text.strip()
    while found := _POINTER.match(text):
        name = _number(found[1])
        text = text[found.end() :]
        if name and name != text:  # (17)Rock is one genre, said twice
            yield name
    if text:
        yield _number(text) or (text[1:] if text.startswith("((") else text)


def _number(text: str) -> str | None:
    if text in _SPECIAL:
        return _SPECIAL[text]
    if text.isascii() and text.isdecimal() and len(text) <= 3:
        number = int(text)
        return GENRES[number] if number < len(GENRES) else None
    return None
