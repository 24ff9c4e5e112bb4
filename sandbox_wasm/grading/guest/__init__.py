"""Source that stands before or behind a program in the guest: text, which no host runs."""
