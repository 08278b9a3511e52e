"""What people and programs read: `document/` decides what is stated, each layout only places it."""
