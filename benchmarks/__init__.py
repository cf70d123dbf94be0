"""Speed, measured against other engines giving the same answer. Never asserted in a test."""
