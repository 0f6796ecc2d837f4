"""Cron lines, as Dagster reads them: numbers, names, @daily."""

from __future__ import annotations

import re
from datetime import datetime

from croniter import CroniterBadDateError, CroniterError, croniter

_FIELDS = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day of the month": "1 to 31",
    "month": "1 to 12 or JAN to DEC",
    "day of the week": "0 to 7 or MON to SUN",
}
_HELP = 'must have five fields, as "0 2 * * *" for every night at two, or be @daily or the like'
_WORDS = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
_WORDS |= {"MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN", "L"}
"""croniter reads letters more, some of which (R, at random) mean another time at each reading."""
_CHARACTERS = re.compile(r"[0-9A-Za-z*,/#-]+")
_LEAP_YEAR = datetime(2024, 1, 1)  # noqa: DTZ001 - any zone will do


def check_cron(line: str) -> str:
    """The line as it is. Raises ValueError, in words, if it is none, or its time never comes."""
    fields = line.split()
    if fields and line.startswith("@"):
        if len(fields) == 1 and croniter.is_valid(line):
            return line
        raise ValueError("must be @hourly, @daily, @midnight, @weekly, @monthly or @yearly")
    if len(fields) != len(_FIELDS):
        raise ValueError(_HELP)
    for place, (name, field) in enumerate(zip(_FIELDS, fields, strict=True)):
        if not _is_field(field, place):
            raise ValueError(
                f"has {field!r} for the {name}: write a number from {_FIELDS[name]}, a list 1,2,"
                " a range 1-2, * or a step */2"
            )
    try:
        croniter(line, _LEAP_YEAR).get_next()
    except CroniterBadDateError:
        raise ValueError("names a day that its months do not have") from None
    except (CroniterError, ValueError) as error:
        raise ValueError(f"is no time: {error}") from None
    return line


def _is_field(field: str, place: int) -> bool:
    """Whether a field means something where it stands, whatever the others are."""
    words = re.findall("[A-Za-z]+", field)
    if not _CHARACTERS.fullmatch(field) or not _WORDS.issuperset(map(str.upper, words)):
        return False
    alone = ["*"] * len(_FIELDS)
    alone[place] = field
    return croniter.is_valid(" ".join(alone))
