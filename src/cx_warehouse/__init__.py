"""cx_warehouse: the Python side of the customer-experience warehouse."""
