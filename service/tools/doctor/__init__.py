"""What this machine can do for longspan, and what is wrong with it."""
