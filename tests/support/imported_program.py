"""The program, imported: what a fork server preloads by name."""

from support.forked_command import import_program

import_program()
