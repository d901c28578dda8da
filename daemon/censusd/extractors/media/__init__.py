"""Sound and moving pictures: one parser per format, which fills a ``Media``, and what is made of that.

Containers do not say in their first bytes whether they hold a song, an audiobook or a film, so this is one family
with one extractor (``extractor.py``): a parser reads what is there, and then ``audio.py`` or ``video.py`` says what
it is.

Everything is read by parsers of our own, which read headers only and through a ``Reader``. Why no library:
docs/metadata.md.
"""
