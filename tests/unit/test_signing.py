"""Files signed by a certificate: valid as they are, invalid after one flipped bit."""

import datetime as dt
import json

import c2pa
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from latent_assets.errors import MediaError, UsageError
from latent_assets.media import (
    FORMATS,
    Provenance,
    inspect_file,
    write_animation,
    write_jpeg,
    write_png,
)
from latent_assets.media.shown import shown_frames
from latent_assets.media.signing import SIGNED, Credentials

RECORD = Provenance(
    walk={"name": "w"}, model={"name": "m"}, frame_keys=("a" * 64,), frame_digests=("b" * 64,)
).as_dict()
FRAMES = list(np.random.default_rng(0).integers(0, 256, (3, 32, 48, 3), dtype=np.uint8))


def certificate(name: str, key, issuer: str, signer, **extensions: bool):
    def named(text: str) -> x509.Name:
        both = ((NameOID.COMMON_NAME, text), (NameOID.ORGANIZATION_NAME, "Test"))
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in both])

    now = dt.datetime.now(dt.timezone.utc)
    authority = extensions.get("authority", False)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
    )
    usage |= {"encipher_only": False, "decipher_only": False}
    builder = (
        x509.CertificateBuilder(named(issuer), named(name), key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not authority,
                key_cert_sign=authority,
                crl_sign=authority,
                **usage,
            ),
            critical=True,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if not authority:
        uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(uses, critical=False)
    return builder.sign(signer, hashes.SHA256())


@pytest.fixture(scope="module")
def credentials(tmp_path_factory):
    folder = tmp_path_factory.mktemp("credentials")
    root, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    pem = serialization.Encoding.PEM
    chain = [
        certificate("Signer", own, "Root", root),
        certificate("Root", root, "Root", root, authority=True),
    ]
    (folder / "chain.pem").write_bytes(b"".join(each.public_bytes(pem) for each in chain))
    (folder / "key.pem").write_bytes(
        own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Credentials(folder / "chain.pem", folder / "key.pem")


def state(path) -> str:
    kind = "png" if path.suffix == ".apng" else path.suffix[1:]
    with path.open("rb") as file, c2pa.Reader(kind, file) as reader:
        return str(reader.get_validation_state())


def written(path, seal=None):
    if path.suffix in {".png", ".jpg"}:
        write = write_png if path.suffix == ".png" else write_jpeg
        return write(FRAMES[0], path, provenance=RECORD, seal=seal)
    name = next(each.name for each in FORMATS.values() if each.suffix == path.suffix)
    write_animation(lambda: FRAMES, path, format=name, fps=8, provenance=RECORD, seal=seal)
    return path


@pytest.mark.parametrize("suffix", SIGNED)
def test_a_signed_file_is_valid_and_one_flipped_bit_is_not(tmp_path, credentials, suffix):
    plain = written(tmp_path / f"plain{suffix}")
    signed = written(tmp_path / f"signed{suffix}", credentials.seal)
    assert state(signed) == "Valid"
    assert 0 < signed.stat().st_size - plain.stat().st_size < 8_000
    assert inspect_file(signed) == inspect_file(plain)
    if suffix not in {".png", ".jpg"}:
        for before, after in zip(shown_frames(plain), shown_frames(signed), strict=True):
            assert np.array_equal(before, after)
    data, middle = bytearray(signed.read_bytes()), plain.stat().st_size // 2
    piece = plain.read_bytes()[middle : middle + 16]
    data[data.index(piece)] ^= 1  # of a picture: the signature itself has padding
    signed.write_bytes(data)
    assert state(signed) == "Invalid"


def test_what_was_signed_says_that_a_model_made_it(tmp_path, credentials):
    signed = written(tmp_path / "w.png", credentials.seal)
    with signed.open("rb") as file, c2pa.Reader("png", file) as reader:
        told = json.dumps(json.loads(reader.json()))
    assert "digitalsourcetype/trainedAlgorithmicMedia" in told


def test_a_page_is_left_unsigned(tmp_path, credentials):
    assert written(tmp_path / "a.html", credentials.seal).read_bytes() == (
        written(tmp_path / "b.html").read_bytes()
    )


def test_a_missing_key_is_told_by_its_path_and_no_file_appears(tmp_path, credentials):
    broken = Credentials(credentials.certificate, tmp_path / "none.pem")
    with pytest.raises(UsageError, match=r"none\.pem cannot be read"):
        written(tmp_path / "w.png", broken.seal)
    assert not (tmp_path / "w.png").exists()


def test_a_key_of_another_certificate_is_refused(tmp_path, credentials):
    (tmp_path / "key.pem").write_text("no key")
    with pytest.raises(MediaError, match="cannot be signed"):
        written(tmp_path / "w.gif", Credentials(credentials.certificate, tmp_path / "key.pem").seal)
    assert list(tmp_path.glob("*.gif")) == []
