"""An S3 that only knows which objects there are: `python presence.py PORT LATENCY_S < NAMES`.

Each answer comes after the latency, many at once, at a fraction of the CPU that moto takes: so what
is measured is the one who asks. It answers HEAD, a GET of the first byte, and ListObjectsV2.
"""

import asyncio
import bisect
import sys

from aiohttp import web

_XML = "<?xml version='1.0' encoding='UTF-8'?>"
_LISTED = (
    "<Contents><Key>{}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
    "<ETag>&quot;0&quot;</ETag><Size>9</Size><StorageClass>STANDARD</StorageClass></Contents>"
)
PAGE = 1_000


def application(names: list[str], latency_s: float) -> web.Application:
    """names: of all objects of the bucket `walks`."""
    ordered, known = sorted(names), set(names)

    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(latency_s)
        if "list-type" in request.query:
            return _listing(ordered, request.query)
        if request.path.partition("/walks/")[2] not in known:
            text = f"{_XML}<Error><Code>NoSuchKey</Code><Message>no</Message></Error>"
            return web.Response(status=404, content_type="application/xml", text=text)
        return web.Response(status=206, body=b"x", headers={"Content-Range": "bytes 0-0/9"})

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    return app


def _listing(ordered: list[str], asked: object) -> web.Response:
    prefix, after = (asked.get(name, "") for name in ("prefix", "continuation-token"))
    at = bisect.bisect_right(ordered, after) if after else bisect.bisect_left(ordered, prefix)
    page = [name for name in ordered[at : at + PAGE] if name.startswith(prefix)]
    more = len(page) == PAGE
    token = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else ""
    text = (
        f"{_XML}<ListBucketResult><Name>walks</Name><Prefix>{prefix}</Prefix>"
        f"<KeyCount>{len(page)}</KeyCount><MaxKeys>{PAGE}</MaxKeys>"
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}"
        f"{''.join(map(_LISTED.format, page))}</ListBucketResult>"
    )
    return web.Response(content_type="application/xml", text=text)


if __name__ == "__main__":
    web.run_app(
        application(sys.stdin.read().split(), float(sys.argv[2])),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        print=None,
    )
