"""Whether a proposal is a task and an answer is right: the sandbox decides."""
