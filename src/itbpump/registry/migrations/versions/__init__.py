"""One module a version; the newest is what `tables` describe."""
