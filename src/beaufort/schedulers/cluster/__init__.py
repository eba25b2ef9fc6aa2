"""A Docker Swarm as its driver sees it: the managers, what they answer, the services and nodes, and what is asked of them."""
