"""Several processes: who leads, who obeys, and what travels between them."""
