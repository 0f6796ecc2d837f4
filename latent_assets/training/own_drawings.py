"""Two drawings that the package of artwork does not have, made for this project in its manner."""

from __future__ import annotations


def _ball(name: str, light: str, colour: str, dark: str) -> str:
    """A gradient that makes a flat shape round: light from the upper left."""
    return (
        f'<radialGradient id="{name}" cx="0.36" cy="0.28" r="0.85">'
        f'<stop offset="0" stop-color="{light}"/><stop offset="0.45" stop-color="{colour}"/>'
        f'<stop offset="1" stop-color="{dark}"/></radialGradient>'
    )


def _fall(name: str, first: str, last: str, across: bool = False) -> str:
    """A gradient from top to bottom, or from left to right."""
    end = 'x2="1" y2="0.15"' if across else 'x2="0.15" y2="1"'
    return (
        f'<linearGradient id="{name}" x1="0" y1="0" {end}><stop offset="0" stop-color="{first}"/>'
        f'<stop offset="1" stop-color="{last}"/></linearGradient>'
    )


_SAIL = (
    '<rect x="-5" y="-104" width="10" height="104" rx="4" fill="url(#beam)"/>'
    '<rect x="3" y="-102" width="31" height="74" rx="7" fill="url(#cloth)"/>'
    '<path d="M5 -83 H32 M5 -65 H32 M5 -47 H32 M18 -100 V-30" stroke="#d9c7b4" stroke-width="3"/>'
)
WINDMILL = (
    "<defs>"
    + _fall("wall", "#fff3e2", "#c08a6c", across=True)
    + _fall("roof", "#f2605a", "#9c2440")
    + _fall("door", "#8a5242", "#4b2a2e")
    + _fall("pane", "#8fe4ff", "#2f8fe8")
    + _fall("beam", "#b07450", "#6d3f38")
    + _fall("cloth", "#ffffff", "#e6dccf")
    + _ball("hub", "#ffd27a", "#d98a3a", "#8a4a30")
    + "</defs>"
    '<path d="M94 112 H162 L182 238 Q182 248 172 248 H84 Q74 248 74 238 Z" fill="url(#wall)"/>'
    '<path d="M86 116 Q92 60 128 56 Q164 60 170 116 Q128 128 86 116 Z" fill="url(#roof)"/>'
    '<path d="M110 248 V214 Q110 196 128 196 Q146 196 146 214 V248 Z" fill="url(#door)"/>'
    '<rect x="115" y="150" width="26" height="28" rx="8" fill="url(#pane)"/>'
    '<g transform="translate(128 104) rotate(16)">'
    + "".join(f'<g transform="rotate({angle})">{_SAIL}</g>' for angle in (0, 90, 180, 270))
    + '</g><circle cx="128" cy="104" r="12" fill="url(#hub)"/>'
)
BOWL_OF_FRUIT = (
    "<defs>"
    + _ball("apple", "#ff8f86", "#e3263f", "#8e1038")
    + _ball("orange", "#ffc46b", "#ff9526", "#d05a18")
    + _ball("grape", "#b795ff", "#7a48d8", "#45239a")
    + _ball("pear", "#eefa8a", "#a9d53c", "#5c9a2e")
    + _fall("banana", "#ffe978", "#f0a52c")
    + _fall("leaf", "#9fe25a", "#3f9a3c")
    + _fall("bowl", "#7fd0ff", "#2767c8")
    + _fall("rim", "#b5e6ff", "#4f9df0", across=True)
    + "</defs>"
    '<path d="M150 128 Q226 112 228 36 Q228 26 218 28 Q210 30 209 44 Q198 92 140 104 Z"'
    ' fill="url(#banana)"/>'
    '<path d="M104 60 Q108 34 124 38 Q140 34 144 62 Q170 92 154 132 H94 Q80 92 104 60 Z"'
    ' fill="url(#pear)"/><path d="M124 40 Q122 26 130 16" stroke="#6d4a3a" stroke-width="7"'
    ' stroke-linecap="round" fill="none"/>'
    '<circle cx="72" cy="104" r="46" fill="url(#apple)"/>'
    '<path d="M72 64 Q72 50 80 42" stroke="#6d4a3a" stroke-width="7" stroke-linecap="round"'
    ' fill="none"/><path d="M78 56 Q92 32 114 46 Q102 66 78 56" fill="url(#leaf)"/>'
    '<circle cx="150" cy="114" r="40" fill="url(#orange)"/>'
    '<g fill="url(#grape)"><circle cx="196" cy="104" r="16"/><circle cx="212" cy="122" r="16"/>'
    '<circle cx="184" cy="126" r="16"/></g>'
    '<path d="M20 136 H236 Q232 214 164 232 H92 Q24 214 20 136 Z" fill="url(#bowl)"/>'
    '<path d="M88 228 H168 Q178 250 164 250 H92 Q78 250 88 228 Z" fill="#2257b0"/>'
    '<rect x="10" y="124" width="236" height="22" rx="11" fill="url(#rim)"/>'
)
OWN_DRAWINGS = {"windmill": WINDMILL, "bowl of fruit": BOWL_OF_FRUIT}
"""Name of a concept -> body of an SVG of 256 by 256 units."""
