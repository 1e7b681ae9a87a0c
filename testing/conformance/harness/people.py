"""People of every role, by their tokens."""

import json

from .server import Server

ROLES = ["owner", "viewer", "publisher", "operator", "admin"]


def tokens(server: Server) -> dict[str, str | None]:
    """A token for each role, and none for a stranger."""
    found: dict[str, str | None] = {"stranger": None}
    for role in ROLES:
        email = f"{role}@example.org"
        server.command("user", "add", email, "--role", role)
        made = server.command("token", "create", "--user", email, "-o", "json")
        found[role] = json.loads(made)["token"]
    return found
