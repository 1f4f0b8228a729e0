"""A shop of any size whose truth is known; docs/simulator.md says what is planted."""

from cx_warehouse.simulate.config import DIRT_KINDS, Config, parse_dirt
from cx_warehouse.simulate.run import Outcome, simulate

__all__ = ["DIRT_KINDS", "Config", "Outcome", "parse_dirt", "simulate"]
