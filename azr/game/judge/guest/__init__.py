"""Programs that azr sends into the sandbox: shipped as text, never imported by the host."""
