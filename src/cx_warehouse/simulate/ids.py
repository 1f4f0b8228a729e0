"""Identifiers of a chunk as text, by their number within it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from cx_warehouse.simulate import planted
from cx_warehouse.simulate.arrays import identifiers

if TYPE_CHECKING:
    import pyarrow as pa

    from cx_warehouse.simulate.arrays import Ints
    from cx_warehouse.simulate.people import People
    from cx_warehouse.simulate.world import World

SITE: Final = "https://shop.example"


def product_words(world: World) -> pa.Array:
    """Return the ids of all products."""
    return identifiers("p", np.arange(len(world.catalogue.prices)), digits=6)


def cart_words(people: People, cart_number: Ints) -> pa.Array:
    """Return the ids of all carts, by their number within the chunk."""
    most = int(cart_number.max()) + 1 if len(cart_number) else 1
    return identifiers("k", people.first_number + np.arange(max(1, most)))


def device_words(people: People) -> pa.Array:
    """Return the ids of all devices, by their number within the chunk."""
    return identifiers("d", people.first_number + np.arange(int(people.device.max()) + 1))


def customer_words(people: People, number: Ints) -> pa.Array:
    """Return account ids; a negative number is null."""
    return identifiers("c", people.first_number + np.maximum(number, 0), number < 0)


def email_words(people: People, number: Ints, prefix: str = "user") -> pa.Array:
    """Return addresses; a negative number is null."""
    safe = people.first_number + np.maximum(number, 0)
    return identifiers(prefix, safe, number < 0, "@mail.example")


def promotion_codes(world: World) -> list[str]:
    """Return the code of each promotion by number, standing ones last."""
    timed = [promotion.code for promotion in world.promotions]
    return [*timed, *(code for code, _, _, _ in planted.STANDING_PROMOTIONS)]
