"""What several commands share: selection, planning, outputs, progress. No command is defined here."""
