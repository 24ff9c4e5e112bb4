"""Programs that run inside the guest. Shipped as text; no host module imports them."""
