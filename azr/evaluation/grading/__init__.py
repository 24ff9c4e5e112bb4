"""The graders, which decide whether an answer to a suite's item is right."""
