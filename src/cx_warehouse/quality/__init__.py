"""Great Expectations over the raw lake and the built marts: the gates before building and before publishing."""
