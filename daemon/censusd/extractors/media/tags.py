"""Names of tags: what formats and tools call a thing, brought to one name.

Free-form names (Vorbis comments, TXXX of ID3, ``----`` of MP4, Matroska, APE, Windows Media) come from many tools;
the table has what MusicBrainz Picard, Mp3tag with its Audible sources, m4b-tool / tone, Audiobookshelf, Libation and
ffmpeg write.
"""

from __future__ import annotations

import re
from typing import Final

from censusd.extractors.media.facts import Tags

_NOISE: Final = re.compile(r"[\s_\-.:/]+")

_SAME: Final = """
title: title
album: album
album_artist: albumartist albumartists band ensemble
artist: artist leadartist
artists: artists
author: author authors writtenby
composer: composer composers
writer: writer screenwriter
lyricist: lyricist
conductor: conductor
performer: performer performers
narrator: narrator narrators narratedby readby reader nrt sprecher
translator: translator translators
director: director directedby
producer: producer producedby
actor: actor actors cast leadactor
genre: genre genres category contenttype
series: series seriesname seriestitle audibleseries
series_part: seriespart seriesnumber seriesindex seriesposition seriessequence booknumber audibleseriespart
part: part partnumber
movement: movementname mvnm
movement_number: movement mvin
grouping: grouping contentgroup grp1 contentgroupdescription
track: tracknumber track
track_total: tracktotal totaltracks trackc tracks
disc: discnumber disc disk partofset
disc_total: disctotal totaldiscs discc
date: date year recordingdate daterecorded
release_date: releasedate releasetime datereleased rldt
original_date: originaldate originalyear originalreleasedate originalreleaseyear
publisher: publisher label organization productionstudio
language: language lang
description: description desc longdescription ldes
synopsis: synopsis summary plot
comment: comment comments
copyright: copyright
license: license
asin: asin audibleasin cdek
isbn: isbn isbn13 isbn10
subtitle: subtitle
abridged: abridged
encoder: encoder encodersettings encodingtool encodingsettings writingapp
encoded_by: encodedby
bpm: bpm beatsperminute tempo
key: initialkey key
mood: mood
isrc: isrc
barcode: barcode upc ean
catalog_number: catalognumber catalogid catalog
media: media mediatype sourcemedia
compilation: compilation itunescompilation iscompilation
lyrics: lyrics unsyncedlyrics unsynchronisedlyrics syncedlyrics
title_sort: titlesort titlesortorder
album_sort: albumsort albumsortorder
artist_sort: artistsort artistsortorder
album_artist_sort: albumartistsort albumartistsortorder
composer_sort: composersort composersortorder
show: show tvshow tvshowname seriesnametv
season: season seasonnumber tvseason
episode: episodesort episodenumber tvepisode episode
episode_id: episodeid tvepisodeid
network: network tvnetwork
keywords: keywords keyword tags
rating: rating
original_artist: originalartist
remixer: remixer mixartist modifiedby
location: location recordinglocation
url: url wwwaudiofile website purl
replaygain_track_gain: replaygaintrackgain
replaygain_track_peak: replaygaintrackpeak
replaygain_album_gain: replaygainalbumgain
replaygain_album_peak: replaygainalbumpeak
r128_track_gain: r128trackgain
r128_album_gain: r128albumgain
musicbrainz_recording: musicbrainztrackid musicbrainzrecordingid
musicbrainz_track: musicbrainzreleasetrackid
musicbrainz_release: musicbrainzalbumid
musicbrainz_release_group: musicbrainzreleasegroupid
musicbrainz_artist: musicbrainzartistid
musicbrainz_album_artist: musicbrainzalbumartistid
acoustid: acoustidid
overdrive_markers: overdrivemediamarkers
cue_sheet: cuesheet
camera_make: make
camera_model: model
software: software
"""
NAMES: Final = {word: line.split(":")[0] for line in _SAME.strip().splitlines() for word in line.split(":")[1].split()}

# Pictures and fingerprints in text, the player's own business, and who bought it: of no use, or nobody's business.
_UNWANTED: Final = re.compile(
    r"metadatablockpicture|coverart.*|itunnorm|itunsmpb|itunpgap|itunescddb.*|acoustidfingerprint|chapter\d+.*|accuraterip.*"
    r"|majorbrand|minorversion|compatiblebrands|appleid|apid|ownr|accountid|userid|priv.*|traktorid.*|serato.*"
)


def known_name(name: str) -> str | None:
    """The one name for what a tool calls so, or None: ``ALBUM ARTIST`` and ``album_artist`` are the same."""
    return NAMES.get(_NOISE.sub("", name[:100].lower()))


def add_free(tags: Tags, name: str, value: str) -> None:
    """Keep a tag with a free-form name."""
    plain = _NOISE.sub("", name[:100].lower())
    known = NAMES.get(plain)
    if known in {"track", "disc"}:
        add_number(tags, known, value)
    elif known:
        tags.add(known, value)
    elif not _UNWANTED.fullmatch(plain):
        tags.add_extra(name, value)


def add_number(tags: Tags, name: str, value: str) -> None:
    """Keep ``3/12`` as the third of twelve."""
    number, _, total = value.partition("/")
    tags.add(name, number)
    tags.add(f"{name}_total", total)


def decode_utf16(data: bytes) -> str:
    """UTF-16 by its byte order mark, else little-endian, up to the first NUL."""
    big = data.startswith(b"\xfe\xff")
    text = data.decode("utf-16-be" if big else "utf-16-le", "replace")
    return text.partition("\0")[0].removeprefix("\ufeff")


def decode_text(data: bytes) -> str:
    """UTF-8 if it can be, else Windows-1252, which is what text of no declared encoding is."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
