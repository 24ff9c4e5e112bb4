"""Self-play: tasks are proposed, admitted, solved and paid. Start with selfplay.py."""
