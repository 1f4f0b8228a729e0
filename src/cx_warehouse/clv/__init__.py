"""Predictive customer lifetime value: how often persons buy again, for how much, and its sum."""
