"""What a simulated Swarm can be filled with, by name."""

from overlayweb.simulator.simulation import Content, empty

CONTENTS: dict[str, Content] = {"empty": empty}
