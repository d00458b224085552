"""One file for each kind of data, and the command line."""
