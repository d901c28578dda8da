"""Opt-in: a vision model on a server says what pictures show. See docs/describe.md for what is sent where."""
