"""Extracts of a force's own systems: read by a mapping, which can be proposed from them and checked against them."""
