"""Content Credentials (C2PA): a signature over the file, by the user's own certificate.

The library `c2pa-python` is an extra: `pip install "latent-assets[c2pa]"`. It is imported by
those who sign, when they sign.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latent_assets import __version__
from latent_assets.errors import MediaError, UsageError
from latent_assets.media.xmp import MADE_BY_A_MODEL

Seal = Callable[[Path, str], None]
"""(a file that was just written, its ending) -> the file is signed in its place."""

SIGNED = (".gif", ".webp", ".avif", ".png", ".apng", ".mp4", ".jpg")
"""Endings of what can be signed. C2PA knows no web pages; a chart is no picture by a model."""


@dataclass(frozen=True)
class Credentials:
    """A certificate with its chain, its private key, both PEM, and the kind of the key."""

    certificate: Path
    key: Path
    algorithm: str = "es256"

    @property
    def identity(self) -> dict[str, str]:
        """What tells two signers apart, so that files are signed anew by another one.

        Raises UsageError if there is no certificate.
        """
        digest = hashlib.sha256(_read(self.certificate)).hexdigest()
        return {"certificate": digest, "algorithm": self.algorithm}

    def seal(self, path: Path, suffix: str) -> None:
        """Sign a file in its place, if its format can be signed.

        Raises UsageError if certificate, key or library are not to be had, MediaError if they do
        not fit together or the file cannot be signed.
        """
        if suffix not in SIGNED:
            return
        c2pa = _library()
        info = c2pa.C2paSignerInfo(
            self.algorithm.encode(), _read(self.certificate), _read(self.key), None
        )
        # Thumbnails would make a file twice as large; the file is its own.
        context = c2pa.Context(
            c2pa.Settings.from_dict({"builder": {"thumbnail": {"enabled": False}}})
        )
        signed = io.BytesIO()
        try:
            with (
                c2pa.Signer.from_info(info) as signer,
                c2pa.Builder(_manifest(), context) as builder,
                path.open("rb") as file,
            ):
                builder.sign(signer, _kind(suffix), file, signed)
        except c2pa.C2paError as error:
            raise MediaError(
                f"{path.name} cannot be signed: {error}",
                f"Look whether {self.certificate} holds the certificate and its chain, whether"
                f" {self.key} is its key, and whether the key is of the kind {self.algorithm}.",
            ) from error
        with path.open("wb") as file:
            file.write(signed.getbuffer())
            file.flush()
            os.fsync(file.fileno())


def _kind(suffix: str) -> str:
    """An APNG is a PNG."""
    return "png" if suffix == ".apng" else suffix.removeprefix(".")


def _manifest() -> dict[str, Any]:
    made = {"action": "c2pa.created", "digitalSourceType": MADE_BY_A_MODEL}
    return {
        "claim_generator_info": [{"name": "latent-assets", "version": __version__}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [made]}}],
    }


def _library() -> Any:
    try:
        import c2pa  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError(
            "files are to be signed, and the library for it is not installed",
            'Install it, pip install "latent-assets[c2pa]", or unset LATENT_ASSETS_C2PA_*.',
        ) from None
    return c2pa


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"files are to be signed, and {path} cannot be read: {error.strerror}",
            "Mend LATENT_ASSETS_C2PA_CERTIFICATE and LATENT_ASSETS_C2PA_KEY.",
        ) from None
