"""Beaufort divides the container capacity that you have right now among your services, by priority."""
