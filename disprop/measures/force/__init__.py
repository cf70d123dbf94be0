"""Measures of use of force: how often and on whom, beside searches and arrests, by incident and person."""
