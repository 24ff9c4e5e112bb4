"""Finding the program in what a model wrote: total, linear, and nothing is parsed or run."""
