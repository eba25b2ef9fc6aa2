"""The parts of the Marathon driver, which runs services as apps of a Marathon."""
