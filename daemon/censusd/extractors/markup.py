"""XML as it comes out of strangers' files: a small tree, whatever happens, within bounds.

The parser is expat, told to take nothing from a document but its elements: a document that declares entities is
refused (that is how a kilobyte becomes a gigabyte), and nothing outside it is ever opened. What people's tools write is
often not quite XML: a bare ``&``, a control character, an encoding that is not the one it says, an HTML entity. So a
document that does not parse is mended and parsed once more, and of one that still does not, what came before the fault
is kept.

Namespaces are cut off, not looked up: many files use prefixes that they never declare.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from xml.parsers import expat

MOST_ELEMENTS: Final = 50_000
DEEPEST_ELEMENT: Final = 60
LONGEST_DOCUMENT: Final = 4 << 20
"""Bytes of a document that are looked at. The longest OPF and ComicInfo seen in real files have some hundred KiB."""

_ENCODINGS: Final = frozenset(
    "ascii big5 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp437 cp866 cp932 cp936 cp949 cp950 "
    "euc_jp euc_kr gb18030 gb2312 gbk iso8859-1 iso8859-2 iso8859-5 iso8859-7 iso8859-9 iso8859-15 koi8-r koi8-u "
    "mac-roman shift_jis utf-8".split()
)
_DECLARED: Final = re.compile(rb"""\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_DECLARATION: Final = re.compile(r"\A\s*<\?xml[^>]{0,400}>")
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCE_FORM: Final = r"(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{0,31});"
_BARE_AMPERSAND: Final = re.compile(rf"&(?!{_REFERENCE_FORM})")
_REFERENCE: Final = re.compile(rf"&(?!(?:amp|lt|gt|quot|apos);){_REFERENCE_FORM}")
_BARE_LESS: Final = re.compile(r"<(?![A-Za-z_/!?])")
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NO_ATTRIBUTES: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(slots=True)
class Element:
    """One element.

    Attributes:
        name: with its prefix, as it is written.
        tag: its local name, in lower case.
        written: its attributes, by names as they are written.
        attributes: by local name in lower case.
        text: all text directly in it, as it is written.
        children: the elements in it.
    """

    name: str
    tag: str
    written: Mapping[str, str] = field(default_factory=lambda: _NO_ATTRIBUTES)
    text: str = ""
    children: list[Element] = field(default_factory=list)

    @property
    def attributes(self) -> dict[str, str]:
        """Its attributes by local name, in lower case."""
        return {name.rpartition(":")[2].lower(): value for name, value in self.written.items()}

    def all(self, *tags: str) -> Iterator[Element]:
        """The children with one of these tags."""
        return (child for child in self.children if child.tag in tags)

    def first(self, *path: str) -> Element | None:
        """What is reached by the first child with each of these tags, one in the other, or None."""
        element: Element | None = self
        for tag in path:
            element = next(element.all(tag), None) if element else None
        return element

    def said(self, *path: str) -> str | None:
        """The whole text of ``first(*path)``, with runs of white space as one space, or None if there is none."""
        element = self.first(*path)
        return squeezed(element.whole_text()) if element else None

    def whole_text(self) -> str:
        """The text in it and in the elements in it, each after the text of the one it is in."""
        if not self.children:
            return self.text
        return " ".join(part for element in self.walk() if (part := element.text))

    def walk(self) -> Iterator[Element]:
        """It, and every element below it, in the order of the document."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.children))


@dataclass(frozen=True, slots=True)
class Document:
    """What was made of some bytes.

    Attributes:
        root: the outermost element, or None if there is not even that.
        fault: why it is not the whole document, for people, or None.
    """

    root: Element | None
    fault: str | None = None


def squeezed(text: str | None) -> str | None:
    """Text with runs of white space as one space and none around, or None if nothing is left."""
    return " ".join(text.split()) or None if text else None


def parse(data: bytes, until: str | None = None) -> Document:
    """The elements of a document, as many as can be had.

    Args:
        data: the document, or its beginning; no more than ``LONGEST_DOCUMENT`` of it is looked at.
        until: the local name, in lower case, of an element that ends what is wanted.
    """
    long = len(data) > LONGEST_DOCUMENT
    data = data[:LONGEST_DOCUMENT]
    first = _Builder(until)
    fault = first.feed(data)
    if fault is None or first.done:
        return Document(first.root, "the document is longer than any real one" if long and not first.done else None)
    if first.refused:
        return Document(first.root, fault)
    second = _Builder(until)
    mended_fault = second.feed(_mended(data).encode(), "utf-8")
    if mended_fault is None or second.done:
        return Document(second.root)
    # The mended one is the better one, unless mending made it worse.
    best = second if second.count >= first.count else first
    return Document(best.root, mended_fault if best is second else fault)


class _Refused(Exception):  # noqa: N818 - it is no error of ours
    """The document asks for what is not given."""


class _Ended(Exception):  # noqa: N818 - it is no error at all
    """All that was wanted has been seen."""


class _Builder:
    """Makes the tree from what expat reports."""

    def __init__(self, until: str | None) -> None:
        self.root: Element | None = None
        self.done = False
        self.refused = False
        self.count = 0
        self._until = until
        self._open: list[Element] = []
        self._texts: list[list[str]] = []

    def feed(self, data: bytes, encoding: str | None = None) -> str | None:
        """Parse, and say what was wrong, or None."""
        parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = _refuse_entities
        parser.SkippedEntityHandler = self._skipped
        try:
            parser.Parse(data, True)
        except _Ended:
            self.done = True
        except _Refused as refusal:
            self.refused = True
            return str(refusal)
        except expat.ExpatError as error:
            return f"it is not well-formed at line {error.lineno}: {expat.ErrorString(error.code)}"
        except (ValueError, LookupError) as error:  # an encoding that Python does not have, or not for XML
            return f"it cannot be decoded: {error}"
        finally:
            while self._open:
                self._close()
        return None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2].lower()
        if tag == self._until:
            raise _Ended
        self.count += 1
        if self.count > MOST_ELEMENTS or len(self._open) >= DEEPEST_ELEMENT:
            raise _Refused("it has more elements, or deeper ones, than any real one")
        element = Element(name, tag)
        if attributes:
            element.written = attributes
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._texts.append([])

    def _end(self, _name: str) -> None:
        self._close()
        if not self._open:
            raise _Ended  # what follows the outermost element is nobody's business

    def _close(self) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def _text(self, text: str) -> None:
        if self._texts:
            self._texts[-1].append(text)

    def _skipped(self, name: str, is_parameter: bool) -> None:  # noqa: FBT001 - expat's signature
        if not is_parameter:
            self._text(html.unescape(f"&{name[:32]};"))


def _refuse_entities(name: str, *_: object) -> None:
    raise _Refused(f"it declares an entity of its own ({name[:40]}), which is not allowed here")


def _mended(data: bytes) -> str:
    """The document as text, with what tools most often get wrong put right."""
    text = _decoded(data)
    start = text.find("<")
    text = _DECLARATION.sub("", text[start:] if start > 0 else text)
    text = _FORBIDDEN.sub("", text)
    text = _BARE_LESS.sub("&lt;", _BARE_AMPERSAND.sub("&amp;", text))
    return _REFERENCE.sub(_mended_reference, text)


def _mended_reference(match: re.Match[str]) -> str:
    """What a reference stands for in HTML, or the reference as plain text if it stands for nothing."""
    plain = html.unescape(match[0])
    return "&amp;" + match[0][1:] if plain == match[0] else html.escape(_FORBIDDEN.sub("", plain))


def _decoded(data: bytes) -> str:
    for bom, name in _BOMS:
        if data.startswith(bom):
            return data.decode(name, "replace")
    if data[:2] in (b"<\0", b"\0<"):
        return data.decode("utf-16-le" if data[0] else "utf-16-be", "replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass
    declared = _DECLARED.match(data)
    name = declared[1].decode("ascii") if declared else "cp1252"
    try:
        known = codecs.lookup(name).name
    except LookupError:
        known = ""
    return data.decode(known if known in _ENCODINGS else "utf-8", "replace")
