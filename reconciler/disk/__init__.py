"""What edges share of the local disk: files that survive a crash, private folders, locks."""
