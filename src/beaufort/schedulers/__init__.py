"""Scheduler drivers: what runs containers. One file each, one class a file."""
