"""Books: EPUB, MOBI and its kin, FictionBook."""
