"""The demo: its people and its past jobs, which are real jobs on a simulated Swarm of the past."""
