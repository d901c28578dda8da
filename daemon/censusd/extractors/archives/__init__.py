"""Archives: what is in them, and the few small entries that say something. Nothing is ever unpacked whole."""
