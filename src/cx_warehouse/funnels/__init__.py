"""Entries of funnels."""
