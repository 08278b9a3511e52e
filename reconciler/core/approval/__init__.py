"""What an approved plan covers, and what a members-only run may send. No I/O."""
