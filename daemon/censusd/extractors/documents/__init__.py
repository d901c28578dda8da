"""Documents: PDF."""
