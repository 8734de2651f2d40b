"""What Overlayweb knows about Swarm networks, in plain Python: no Django, Celery, Redis or Docker."""
