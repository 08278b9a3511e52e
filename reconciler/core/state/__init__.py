"""What reconciler records of each segment, and how a batch, a crash or a lost state changes it. No I/O."""
