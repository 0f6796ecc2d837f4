"""The mark that says by which means a picture was made, as programs and laws ask for it: XMP.

A packet of XMP (ISO 16684-1) with IPTC's property *Digital Source Type*. Each format has a place
where its readers look for XMP: an application extension in GIF, a chunk in WebP and AVIF, `iTXt`
in PNG and APNG, APP1 in JPEG, a box `uuid` in MP4, the metadata of an SVG.
"""

from __future__ import annotations

import html
import struct
from pathlib import Path

from latent_assets import __version__

_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MADE_BY_A_MODEL = _TYPES + "trainedAlgorithmicMedia"
"""IPTC: created by a model that was trained on sampled content."""
DRAWN_FROM_DATA = _TYPES + "dataDrivenMedia"
"""IPTC: represents data; for charts."""

RECORD_TAG = "la:provenance"
PNG_KEYWORD = "XML:com.adobe.xmp"
_MP4_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # XMP specification, part 3


def packet(record: str | None = None, source_type: str = MADE_BY_A_MODEL) -> bytes:
    """A packet with the mark, and with our record in formats that have no other place for it."""
    carried = f"<{RECORD_TAG}>{html.escape(record, quote=False)}</{RECORD_TAG}>" if record else ""
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{description(source_type, carried)}</x:xmpmeta>'
        '<?xpacket end="r"?>'
    ).encode()


def description(source_type: str, carried: str = "") -> str:
    """The packet's RDF, which an SVG holds without the packet around it. carried: XML."""
    return (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about=""'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:la="urn:latent-assets:provenance:1"'
        f' Iptc4xmpExt:DigitalSourceType="{source_type}"'
        f' xmp:CreatorTool="latent-assets {__version__}">{carried}</rdf:Description></rdf:RDF>'
    )


def gif_extension() -> bytes:
    """The application extension, whole. Its trailer lets programs that know no XMP pass over it."""
    trailer = bytes([1, *range(255, -1, -1), 0])
    return b"\x21\xff\x0bXMP DataXMP" + packet() + trailer


def png_chunk_content() -> bytes:
    """The content of an `iTXt` chunk: keyword, not compressed, no language, the packet."""
    return PNG_KEYWORD.encode() + b"\0\0\0\0\0" + packet()


def append_to_mp4(path: Path) -> None:
    """A box of its own at the end of the file, where no offset into the film is moved by it."""
    content = _MP4_BOX + packet()
    with path.open("ab") as file:
        file.write(struct.pack(">I", len(content) + 8) + b"uuid" + content)
