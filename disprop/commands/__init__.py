"""The commands that are imported when they are asked for, and what all commands share (`options`)."""
