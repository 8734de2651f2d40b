"""A Swarm in one process that speaks the Docker Engine's API: for the demo, for tests, for faults on demand."""
