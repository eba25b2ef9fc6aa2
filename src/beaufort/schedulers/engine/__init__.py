"""A Docker Engine as its drivers see it: the calls, what they answer, the images, and the containers that are ours."""
