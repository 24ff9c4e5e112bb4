"""What a proposal and an answer are paid, and the advantage that follows."""
