"""Use of force: reports in canonical columns or the Metropolitan layout, and the published tables of a year."""
