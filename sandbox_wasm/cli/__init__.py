"""azr-sandbox: one file a command."""
