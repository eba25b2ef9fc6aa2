"""Policies: pure functions from demand to a wish. One file each, one class a file."""
