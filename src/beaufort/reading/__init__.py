"""Reading: text to values of declared shapes, with every fault told at its place. It knows nothing of services."""
