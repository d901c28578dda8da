"""Small books and PDFs, made by hand so that each part of them can be said in a test."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from tests.tools.tiny_archives import zip_of

CONTAINER = (
    b'<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>'
    b'<rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def package(metadata: str, version: str = "3.0", rest: str = "") -> bytes:
    """A package document with this metadata."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><package xmlns="http://www.idpf.org/2007/opf" version="{version}" '
        'unique-identifier="id"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'xmlns:opf="http://www.idpf.org/2007/opf">{metadata}</metadata>{rest}</package>'
    ).encode()


def epub(opf: bytes, others: Mapping[str, bytes] | None = None) -> bytes:
    """An EPUB with this package document."""
    files = {"META-INF/container.xml": CONTAINER, "OEBPS/content.opf": opf, **(others or {})}
    # The first entry must be stored, and zipfile keeps the order.
    whole = zip_of({"mimetype": b"application/epub+zip"}, 0)
    stored = whole[: whole.index(b"PK\1\2")]
    return stored + _shifted(zip_of(files), whole, len(stored))


def _shifted(archive: bytes, first: bytes, by: int) -> bytes:
    """An archive whose list also names the entry that stands before it."""
    at = archive.index(b"PK\1\2")
    end = archive.rindex(b"PK\5\6")
    entries = bytearray(archive[at:end])
    place = 0
    while place < len(entries):
        (offset,) = struct.unpack_from("<I", entries, place + 42)
        struct.pack_into("<I", entries, place + 42, offset + by)
        place += 46 + sum(struct.unpack_from("<HHH", entries, place + 28))
    listed = first[first.index(b"PK\1\2") : first.rindex(b"PK\5\6")] + bytes(entries)
    (count,) = struct.unpack_from("<H", archive, end + 10)
    return (
        archive[:at] + listed + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count + 1, count + 1, len(listed), by + at, 0)
    )


def mobi(
    extended: Sequence[tuple[int, bytes]],
    *,
    title: bytes = b"Full name",
    encoding: int = 65001,
    version: int = 6,
    encryption: int = 0,
    locale: int = 9,
) -> bytes:
    """A MOBI with these records in its extended header, and nothing to read."""
    records = b"".join(struct.pack(">II", kind, 8 + len(value)) + value for kind, value in extended)
    exth = b"EXTH" + struct.pack(">II", 12 + len(records), len(extended)) + records if extended else b""
    header = bytearray(232)
    header[0:4] = b"MOBI"
    struct.pack_into(">IIII", header, 4, 232, 2, encoding, 1)
    struct.pack_into(">I", header, 20, version)
    struct.pack_into(">III", header, 68, 16 + 232 + len(exth), len(title), locale)
    struct.pack_into(">I", header, 112, 0x40 if extended else 0)
    record = struct.pack(">HHIHHHH", 1, 0, 0, 0, 4096, encryption, 0) + bytes(header) + exth + title
    start = 78 + 2 * 8 + 2
    database = bytearray(78)
    database[0:9] = b"Palm_name"
    database[60:68] = b"BOOKMOBI"
    struct.pack_into(">H", database, 76, 2)
    return bytes(database) + struct.pack(">IIII", start, 0, start + len(record), 2) + b"\0\0" + record + b"end"


def pdf(objects: Sequence[bytes], trailer: bytes = b"/Root 1 0 R /Info 2 0 R", version: bytes = b"1.6") -> bytes:
    """A PDF of these objects, the first of them number 1, with a table that says where they are."""
    data = b"%PDF-" + version + b"\n%\xe2\xe3\xcf\xd3\n"
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table += b"".join(b"%010d 00000 n \n" % place for place in places)
    return (
        data + table + b"trailer << /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, len(data))
    )


def stream(content: bytes, dictionary: bytes = b"") -> bytes:
    """A stream object."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), dictionary, content)


XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"
 xmlns:prism="http://prismstandard.org/namespaces/basic/2.0/" pdf:Producer="A producer" pdfaid:part="2"
 pdfaid:conformance="B">
<dc:title><rdf:Alt><rdf:li xml:lang="de">Titel</rdf:li>
<rdf:li xml:lang="x-default">The Packet</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>Lovelace, Ada</rdf:li><rdf:li>Bob Smith</rdf:li></rdf:Seq></dc:creator>
<dc:subject><rdf:Bag><rdf:li>engines</rdf:li><rdf:li>looms, too</rdf:li></rdf:Bag></dc:subject>
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">CC BY</rdf:li></rdf:Alt></dc:rights>
<xmp:CreateDate>2019-05-01T12:30:00+02:00</xmp:CreateDate><prism:doi>10.1000/182</prism:doi>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>""".encode()

INFORMATION = (
    b"<< /Title <FEFF00C9007400750064006500> /Author (Ada Lovelace and Bob Smith) /Subject (Notes) "
    b"/Keywords (engines, looms) /Creator (A writer) /Producer (A producer) "
    b"/CreationDate (D:20190501123000+02'00') /ModDate (D:20200102030405Z) >>"
)


def two_pages(xmp: bytes | None = XMP, information: bytes = INFORMATION) -> bytes:
    """A PDF of an A4 and a Letter page, with all that it can say of itself."""
    return pdf(
        [
            b"<< /Type /Catalog /Pages 3 0 R /Lang (en-GB) %s >>" % (b"/Metadata 6 0 R" if xmp else b""),
            information,
            b"<< /Type /Pages /Kids [4 0 R 5 0 R] /Count 2 >>",
            b"<< /Type /Page /Parent 3 0 R /MediaBox [0 0 595.28 841.89] >>",
            b"<< /Type /Page /Parent 3 0 R /MediaBox [0 0 612 792] >>",
            stream(xmp or b"", b"/Type /Metadata /Subtype /XML"),
        ]
    )
