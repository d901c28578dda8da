"""Comics: archives of pages, what ComicInfo.xml and its kin say of them, and what people put into their names."""
