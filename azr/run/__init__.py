"""A run: assembled, looped, recorded, interrupted, shown and planned. Start with trainer.py."""
