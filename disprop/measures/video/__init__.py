"""Measures of body-worn video: which records have footage, what the tick-box says, what missing footage does."""
