"""disprop: disproportionality in police powers."""
