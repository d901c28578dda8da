"""Pictures: what they show is not looked at, but all that cameras, editors and generators wrote beside it."""
