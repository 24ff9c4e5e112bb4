"""What runs in the processes of learners and engines, and what goes directly between these."""
