"""Attribution: how much of the orders each channel of a journey is worth."""
