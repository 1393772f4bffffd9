"""Migrations of the registry, run by `engine`; each is tested from the one before with data in it."""
