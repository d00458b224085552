"""The parts of the report page: each turns rows into HTML, none reads a file."""
