"""What containers get of the MTU that an overlay is made for.

Source: moby's overlay driver takes the option as the MTU of the path between the nodes, 1500 where it is not set, and
gives containers that less 50 bytes of VXLAN; with encryption 26 bytes less for ESP, rounded down to a multiple of 4.
"""

DOCKER_MTU = 1500
"""What the overlay driver assumes of the path between the nodes when the option is not set."""

VXLAN_BYTES = 50
ESP_BYTES = 26
_ESP_STEP = 4


def inner(*, assumed: int, encrypted: bool) -> int:
    """What containers get of a path that carries so many bytes."""
    left = assumed - VXLAN_BYTES
    if encrypted:
        left -= ESP_BYTES
        left -= left % _ESP_STEP
    return left
