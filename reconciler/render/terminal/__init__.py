"""What commands print for people: on a terminal, or as plain lines in a log."""
