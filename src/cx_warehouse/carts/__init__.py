"""The lives of carts, told from what a person did."""
