"""Demand sources: what measures demand. One file each, one class a file."""
