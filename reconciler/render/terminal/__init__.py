"""The text output of commands: on a terminal, or as plain lines in a log."""
