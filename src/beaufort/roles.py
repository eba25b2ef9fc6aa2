"""What people and programs may be to a running controller."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Role"]


class Role(StrEnum):
    VIEWER = "viewer"
    """Sees everything, changes nothing."""
    PUSHER = "pusher"
    """Tells the demand of the services that are named, and sees nothing."""
    OPERATOR = "operator"
    """Sees everything; pushes; pauses, resumes, and changes limits."""
    ADMIN = "admin"
    """All that an operator may, and swaps the configuration."""
