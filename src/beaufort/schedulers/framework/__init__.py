"""The parts of the Mesos driver: a framework of its own, over the v1 scheduler API."""
