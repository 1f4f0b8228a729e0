"""Great Expectations over the raw lake and the built marts: the gates of the warehouse."""
