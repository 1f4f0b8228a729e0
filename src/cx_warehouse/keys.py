"""Keys of what a text names."""

import hashlib


def hashed_id(text: str) -> str:
    """Return the key of what a text names, as the macro of this name: 20 hexadecimal digits."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:20]
