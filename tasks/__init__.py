"""Celery carries ids to the worker; what a message leads to is decided by the database."""
