"""Files that are all beginnings, of a size that is asked for: what a reader must pass once."""

from __future__ import annotations

import json

from latent_assets.media import Provenance

RECORD = json.dumps(Provenance(walk={"name": "w"}, model={}).as_dict()).encode()
SCRIPT = b'<script type="application/json" id="provenance">'
_GIF, _PNG, _MP4 = b"GIF89a" + bytes(7), b"\x89PNG\r\n\x1a\n", b"\0\0\0\x10ftypisom\0\0\0\0"
_WEBP, _AVIF = b"RIFF\0\0\0\0WEBP", b"\0\0\0 ftypavif"

FLOODS: dict[str, tuple[bytes, bytes, bytes]] = {
    "svg": (b"<?xml ", b"<dc:description>", b""),
    "svg heads": (b"", b"<?xml ", b""),
    "html": (b"<!doctype html>", SCRIPT, b""),
    "xmp": (_WEBP, b"<la:provenance>", b""),
    "avif": (_AVIF, b"<la:provenance>", b""),
    "jpeg": (b"\xff\xd8", b"\xff\xfe\0\x03a", b""),
    "gif comments": (_GIF, b"!\xfe\x01{\0", b""),
    "gif pictures": (_GIF, b"," + bytes(9) + b"\x02\0", b""),
    "gif blocks": (_GIF + b"!\xfe", b"\x01a", b""),
    "png chunks": (_PNG, b"\0\0\0\0tEXt\0\0\0\0", b""),
    "png pictures": (_PNG, b"\0\0\0\0fcTL\0\0\0\0", b""),
    "webp chunks": (_WEBP, b"VP8 \0\0\0\0", b""),
    "mp4 boxes": (_MP4, b"\0\0\0\x08free", b""),
    "mp4 movies": (_MP4 + b"\0\0\0\0moov", b"\0\0\0\x08trak", b""),
    "entities": (b"<?xml <dc:description>", b"&#1", b""),
    "entities closed": (b"<?xml <dc:description>", b"&#1", b"</dc:description>"),
    "entities' names": (b"<?xml <dc:description>", b"&notinanyonessoul", b"</dc:description>"),
    "one number": (b"<?xml <dc:description>&#", b"1", b"</dc:description>"),
    "json lists": (b"<!doctype html>" + SCRIPT, b"[", b"</script>"),
    "json digits": (b"<!doctype html>" + SCRIPT, b"9", b"</script>"),
    "json fields": (b"<!doctype html>" + SCRIPT + b"{", b'"a":1,', b'"b":1}</script>'),
    "json texts": (b"<!doctype html>" + SCRIPT + b"[", rb'"\u0041\n",', b"1]</script>"),
}  # fmt: skip
"""Name: (head, what is repeated, end)."""

WALK_FLOODS: dict[str, tuple[bytes, bytes, bytes]] = {
    "lists": (b"", b"[", b""),
    "groups": (b"", b"{a: ", b""),
    "fields": (b"", b"a: 1\n", b""),
    "prompts": (b"kind: interpolation\nframes: 5\nprompts:\n", b"- a\n", b""),
    "wrong prompts": (b"kind: interpolation\nframes: 5\nprompts:\n", b"- 1\n", b""),
    "keyframes": (b"kind: interpolation\nframes: 5\nkeyframes:\n", b"- {at: 30, x: 1}\n", b""),
    "one prompt": (b"kind: noise_loop\nframes: 5\nprompt: ", b"a ", b""),
    "comments": (b"kind: noise_loop\nframes: 5\nprompt: a\n", b" #", b""),
    "quotes": (b"prompt: ", b'"', b""),
    "tabs": (b"", b"\t", b""),
    "dashes": (b"", b"- ", b""),
    "aliases": (b"", b"- *a\n", b""),
    "documents": (b"", b"---\n", b""),
    "escapes": (b'prompt: "', rb"\u0041", b'"'),
}


def flood(parts: tuple[bytes, bytes, bytes], size: int) -> bytes:
    """About `size` bytes of it."""
    head, part, end = parts
    return head + part * (size // len(part)) + end
