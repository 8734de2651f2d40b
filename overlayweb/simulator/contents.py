"""What a simulated Swarm can be filled with, by name."""

from overlayweb.simulator import demo
from overlayweb.simulator.simulation import Content, empty

CONTENTS: dict[str, Content] = {"empty": empty, "demo": demo.fill, "demo-earlier": demo.fill_earlier}
