"""XMP, what photo programs write into pictures and beside them: RDF in XML (ISO 16684-1).

The parser is Python's own expat with three handlers. XMP has no document type, so a file with one is refused, and with
it every trick with entities; depth, elements and text are counted.
"""

from __future__ import annotations

from pyexpat import ExpatError, ParserCreate
from typing import Final

from censusd.extractors.images.exif import HIGHEST, LOWEST, iso_time
from censusd.extractors.images.found import Facts
from censusd.extractors.reading import FormatError

MOST_ELEMENTS: Final = 50_000
MOST_TEXT: Final = 1 << 20
DEEPEST: Final = 64

_MARKS: Final = {b"\xfe\xff", b"\xff\xfe"}
_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns# "
_LANGUAGE: Final = "http://www.w3.org/XML/1998/namespace lang"
_NAMES: Final = {
    "http://purl.org/dc/elements/1.1/": "title description subject creator rights",
    "http://ns.adobe.com/xap/1.0/": "Rating CreateDate CreatorTool Label",
    "http://ns.adobe.com/photoshop/1.0/": "DateCreated Headline City State Country SidecarForExtension",
    "http://ns.adobe.com/exif/1.0/": "DateTimeOriginal GPSLatitude GPSLongitude GPSAltitude GPSAltitudeRef ExposureTime"
    " FNumber ISOSpeedRatings FocalLength FocalLengthIn35mmFilm UserComment",
    "http://cipa.jp/exif/1.0/": "LensModel LensMake PhotographicSensitivity BodySerialNumber",
    "http://ns.adobe.com/exif/1.0/aux/": "Lens SerialNumber",
    "http://ns.adobe.com/tiff/1.0/": "Make Model Orientation",
    "http://ns.adobe.com/lightroom/1.0/": "hierarchicalSubject",
    "http://www.digikam.org/ns/1.0/": "TagsList",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Location",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "PersonInImage DigitalSourceType",
    "http://ns.google.com/photos/1.0/camera/": "MotionPhoto MicroVideo",
}
_WANTED: Final = {f"{space} {name}": name for space, names in _NAMES.items() for name in names.split()}
_REGIONS: Final = "http://www.metadataworkinggroup.com/schemas/regions/ "
_INSIDE: Final = {
    _REGIONS + "Name": "RegionName",
    _REGIONS + "Type": "RegionType",
    "http://ns.microsoft.com/photo/1.2/t/Region# PersonDisplayName": "PersonInImage",
}
"""Properties of structures. All others count only on top: a history has descriptions, too."""

_TEXTS: Final = {
    "title": ("title",),
    "description": ("description",),
    "copyright": ("rights",),
    "headline": ("Headline",),
    "label": ("Label",),
    "city": ("City",),
    "state": ("State",),
    "country": ("Country",),
    "location": ("Location",),
    "camera_make": ("Make",),
    "camera_model": ("Model",),
    "camera_serial": ("BodySerialNumber", "SerialNumber"),
    "lens_make": ("LensMake",),
    "lens": ("LensModel", "Lens"),
    "software": ("CreatorTool",),
    "digital_source_type": ("DigitalSourceType",),
    "sidecar_for": ("SidecarForExtension",),
    "comment": ("UserComment",),
}
_LISTS: Final = {
    "keywords": "subject",
    "creators": "creator",
    "people": "PersonInImage",
    "hierarchical_keywords": "hierarchicalSubject",
}
_NUMBERS: Final = {
    "exposure_time": ("ExposureTime", 0, 1e6),
    "f_number": ("FNumber", 0, 1e4),
    "focal_length": ("FocalLength", 0, 1e5),
    "focal_length_35mm": ("FocalLengthIn35mmFilm", 0, 1e5),
    "iso": ("PhotographicSensitivity", 0, 1e9),
    "rating": ("Rating", -1.1, 5.1),
    "orientation": ("Orientation", 0, 9),
}


class _Packet:
    """Takes expat's events; keeps the values of wanted properties, by name: language and text."""

    def __init__(self) -> None:
        self.values: dict[str, list[tuple[str, str]]] = {}
        self._path: list[str | None] = []
        self._properties = 0
        self._text: list[str] = []
        self._language = ""
        self._region: dict[str, str] = {}
        self._elements = 0
        self._text_left = MOST_TEXT

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MOST_ELEMENTS or len(self._path) >= DEEPEST:
            raise FormatError("its XMP has more elements than any real one")
        self._text.clear()
        is_property = not name.startswith(_RDF) and name != "adobe:ns:meta/ xmpmeta"
        self._path.append(name if is_property else None)
        self._properties += is_property
        self._language = attributes.get(_LANGUAGE, "")
        for key, value in attributes.items():
            self._put(key, value, self._properties + 1)

    def end(self, name: str) -> None:
        written = "".join(self._text).strip() if self._text else ""
        self._text.clear()
        if written:
            here = next((each for each in reversed(self._path) if each), "")
            self._put(here, written, self._properties)
        self._language = ""
        if self._path.pop() is not None:
            self._properties -= 1
        if name == _RDF + "li" and self._region:
            if self._region.get("RegionType", "Face") == "Face" and "RegionName" in self._region:
                self.values.setdefault("PersonInImage", []).append(("", self._region["RegionName"]))
            self._region.clear()

    def characters(self, data: str) -> None:
        self._text_left -= len(data)
        if self._text_left >= 0:
            self._text.append(data)

    def doctype(self, *_: object) -> None:
        raise FormatError("its XMP has a document type, which XMP never has")

    def _put(self, key: str, value: str, depth: int) -> None:
        name = _WANTED.get(key) if depth == 1 else _INSIDE.get(key)
        if not name or not value.strip():
            return
        if name.startswith("Region"):
            self._region[name] = value.strip()
        else:
            self.values.setdefault(name, []).append((self._language, value.strip()))

    def first(self, *names: str) -> str | None:
        """The value of the first of these properties that is there, in the default language if there are several."""
        for name in names:
            if values := self.values.get(name):
                return next((text for language, text in values if language == "x-default"), values[0][1])
        return None


def facts(data: bytes) -> tuple[Facts, str | None]:
    """What an XMP packet says, and what is wrong with it, if something is."""
    packet = _Packet()
    parser = ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = packet.start
    parser.EndElementHandler = packet.end
    parser.CharacterDataHandler = packet.characters
    parser.StartDoctypeDeclHandler = packet.doctype
    trouble = None
    try:
        # What fills a packet up behind its end is no XML; in UTF-16 a zero byte is half a letter.
        parser.Parse(data if b"\0" in data[:2] or data[:2] in _MARKS else data.strip(b"\0 \t\r\n"), True)
    except ExpatError as error:
        trouble = f"its XMP is not well-formed: {error}"
    except FormatError as error:
        trouble = str(error)
    return _facts(packet), trouble


def _facts(packet: _Packet) -> Facts:
    result: Facts = {}
    for name, properties in _TEXTS.items():
        if (words := packet.first(*properties)) is not None:
            result[name] = words
    for name, prop in _LISTS.items():
        if values := packet.values.get(prop):
            result[name] = [text for _, text in values]
    if "keywords" not in result and (tags := packet.values.get("TagsList")):
        result["keywords"] = [text.rpartition("/")[2] for _, text in tags]
    for name, (prop, above, below) in _NUMBERS.items():
        value = number(packet.first(prop) or packet.first("ISOSpeedRatings" if name == "iso" else prop))
        if value is not None and above < value < below and (value or name != "rating"):  # 0: not rated
            result[name] = int(value) if value == int(value) else value
    created = packet.first("DateTimeOriginal", "DateCreated", "CreateDate")
    if created and (moment := iso_time(created)):
        result["created"] = moment
    if packet.first("MotionPhoto", "MicroVideo") == "1":
        result["motion_photo"] = True
    north = degrees(packet.first("GPSLatitude"), "N", "S", 90)
    east = degrees(packet.first("GPSLongitude"), "E", "W", 180)
    if north is not None and east is not None and (north or east):
        result["position"] = (north, east)
        height = number(packet.first("GPSAltitude"))
        if height is not None and LOWEST <= height <= HIGHEST:
            result["altitude"] = round(-height if packet.first("GPSAltitudeRef") == "1" else height, 3)
    return result


def number(written: str | None) -> float | None:
    """A number as XMP writes it: ``5``, ``2.8`` or ``28/10``."""
    above, slash, below = (written or "")[:64].partition("/")
    try:
        return round(float(above) / float(below) if slash else float(above), 9)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


def degrees(written: str | None, positive: str, negative: str, most: int) -> float | None:
    """Degrees from ``38,50.5N`` or ``38,50,30N`` (XMP specification, part 2, 1.2.7.4)."""
    if not written or written[-1] not in {positive, negative}:
        return None
    parts = [number(part) for part in written[:-1][:64].split(",")]
    total: float = sum(part / 60.0**place for place, part in enumerate(parts) if part is not None)
    if not 1 <= len(parts) <= 3 or None in parts or not 0 <= total <= most:
        return None
    return round(-total if written[-1] == negative else total, 7)
