"""Operations of commands: observe, detect drift, run checks, rebuild and restore. Nothing is printed."""
