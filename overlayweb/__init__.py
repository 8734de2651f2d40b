"""Overlayweb: browser self-service for the networks of a Docker Swarm."""
