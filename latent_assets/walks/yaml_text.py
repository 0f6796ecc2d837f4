"""YAML as walk files use it: plain values, numbers as YAML 1.2 and JSON have them.

PyYAML follows YAML 1.1, where 010 is eight, 1:30 is ninety, 2020-01-01 is a date and 1e-3 is a
text; and where a number of a hundred thousand digits keeps the machine busy. Here numbers are
decimal, and everything else that is plain is text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from latent_assets.foreign import harmless

_BASE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, if PyYAML was built with it
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,39})\Z")
_FLOAT = re.compile(
    r"""(?:[-+]?(?:[0-9]{1,40}\.[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?
    |[-+]?[0-9]{1,40}[eE][-+]?[0-9]{1,3}
    |[-+]?\.(?:inf|Inf|INF)
    |\.(?:nan|NaN|NAN))\Z""",
    re.VERBOSE,
)
_NUMBERS = "-+0123456789."
_REPLACED = {"int", "float", "timestamp", "merge", "value"}


class WalkLoader(_BASE):  # type: ignore[misc, valid-type]
    """Reads walk files."""


class WalkDumper(yaml.SafeDumper):
    """Writes walk files: quotes what `WalkLoader`, or YAML 1.1, would take for another type."""


WalkLoader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in rules if tag.rpartition(":")[2] not in _REPLACED]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _resolver in (WalkLoader, WalkDumper):
    _resolver.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list(_NUMBERS))
    _resolver.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list(_NUMBERS))


def dump(document: Mapping[str, Any]) -> str:
    """The text of a walk file with these fields; what cannot be seen in it is escaped."""
    text = _dumped(document, allow_unicode=True)
    if harmless(text) == text:
        return text
    return _dumped(document, allow_unicode=False)


def _dumped(document: Mapping[str, Any], *, allow_unicode: bool) -> str:
    return yaml.dump(document, Dumper=WalkDumper, sort_keys=False, allow_unicode=allow_unicode)
