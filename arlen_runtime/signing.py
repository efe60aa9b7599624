"""Keys and tokens. No key serves two purposes, and secrets are never compared by `==`.

The application has one secret, or several during a rotation: the first one signs, all of them
verify. Each purpose derives its own key from it (HKDF, RFC 5869), so a signature for one purpose is
worthless for another.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Iterator, Sequence

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from arlen_runtime.errors import ConfigError

MIN_SECRET_BYTES = 32
KEY_BYTES = 32
TOKEN_BYTES = 32

_SALT = b"arlen signing v1"
_REMEDY = """create one with `python -c "import secrets; print(secrets.token_urlsafe(32))"`"""


class Keys:
    """The keys of one purpose, newest first."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Keep the derived keys; `current` is the one that signs."""
        self._keys = tuple(keys)
        self.current = self._keys[0]

    def __iter__(self) -> Iterator[bytes]:
        """Yield the keys to try, newest first."""
        return iter(self._keys)

    def sign(self, message: bytes) -> str:
        """Return the message's signature as 43 characters that are safe in URLs and cookies."""
        return _encode(hmac.digest(self.current, message, "sha256"))

    def verify(self, message: bytes, signature: str) -> bool:
        """Return True if one of the keys made this signature.

        The time does not reveal which byte differs.
        """
        expected = _decode(signature)
        return any(hmac.compare_digest(hmac.digest(key, message, "sha256"), expected) for key in self._keys)


class Secrets:
    """The application's secrets, newest first; `keys(purpose)` derives from them."""

    def __init__(self, values: Sequence[str], *, production: bool) -> None:
        """Raise ConfigError in production if no secret is set or one is below 32 bytes."""
        if production and not values:
            raise ConfigError(f"a secret is required: {_REMEDY}")
        weak = [number for number, value in enumerate(values, 1) if len(value.encode()) < MIN_SECRET_BYTES]
        if production and weak:
            raise ConfigError(f"secret {weak[0]} of {len(values)} is shorter than {MIN_SECRET_BYTES} bytes: {_REMEDY}")
        self._roots = tuple(value.encode() for value in values) or (secrets.token_bytes(KEY_BYTES),)

    def keys(self, purpose: str) -> Keys:
        """Derive the keys of a purpose, such as "session"; they are the same in every process."""
        return Keys([_derive_key(root, purpose) for root in self._roots])


def token(size: int = TOKEN_BYTES) -> str:
    """Return an unguessable token of `size` random bytes that is safe in URLs and cookies."""
    return secrets.token_urlsafe(size)


def same(one: str, other: str) -> bool:
    """Compare two secrets in a time that does not reveal where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def _derive_key(root: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=_SALT, info=purpose.encode()).derive(root)


def _encode(data: bytes) -> str:
    """Encode bytes as unpadded base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    """Decode unpadded base64url; b"" for any other spelling, so that a signature has only one."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    return data if _encode(data) == text else b""
