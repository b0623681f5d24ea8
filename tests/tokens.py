"""Users' tokens, as a sign-in service issues them."""

import time
from typing import Any
from uuid import UUID

import jwt

SECRET = "a-secret-of-more-than-32-characters"  # noqa: S105  # the tests' own


def token(user: UUID | str | None, key: Any = SECRET, algorithm: str = "HS256", kid: str = "one", **claims: Any) -> str:
    """Return a user's token, good for an hour; a claim that is None is left out."""
    wanted = {"sub": str(user) if user else None, "aud": "authenticated", "role": "authenticated"}
    wanted |= {"exp": int(time.time()) + 3600} | claims
    said = {name: value for name, value in wanted.items() if value is not None}
    return jwt.encode(said, key, algorithm, {"kid": kid})


def bearer(user: UUID | str | None, **values: Any) -> dict[str, str]:
    """Return the header that bears a user's token."""
    return {"Authorization": f"Bearer {token(user, **values)}"}
