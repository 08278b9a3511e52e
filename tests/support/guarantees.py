"""The guarantees to users, in their words; a mark on a test names the guarantee it tests."""

PROMISES = {
    "converges": "After a kill at any instruction, a late response or none, one complete run converges: "
    "Criteo holds exactly the desired members, the next plan is empty, and an empty plan writes nothing "
    "(1,000 histories of crashes, 500 of every event; 30,000 in stress tests)",
    "rules": "Each rule of the state is necessary: without it, that proof fails",
    "real": "32 of these histories (500 in stress tests) pass on the real engine, the state on disk and the "
    "emulator",
    "killed-processes": "Real processes that are killed, stopped, paused or out of disk during an apply "
    "lose nothing; at most one batch per segment and kill is sent twice",
    "state": "Written state survives. Corrupt, newer or foreign state is refused by name. Two runs "
    "cannot write one environment",
    "sealed": "With `snapshotKey`, no file of the store contains an identifier or its digest; a sealed file "
    "that was changed, cut off or exchanged is refused",
    "audit": "An audit log that was changed, cut off, reordered or rewritten is found; a run that wrote the "
    "state is in it, even if it was killed",
    "refused-early": "Errors are reported before the first write, all at once, each with its location",
    "guards": "A change that exceeds the guards, or lost access, sends nothing",
    "lists": "A suppression or exclusion list that shrinks, breaks, vanishes and returns adds no member of "
    "its last applied version, beyond its limit or a reviewed definition (500 histories)",
    "promotion": "Promotion is a merge by git: it loses no edit of the target, and writes no invalid "
    "result (500 edits)",
    "approved": "Apply executes approved changes within stated limits, or nothing",
    "faults": "Each bad input and fault has its message, fix and exit code, and loses nothing",
    "private": "No output, log, error, plan or temporary file contains an identifier, token or secret",
    "members": "Members are exact: the SQL engine agrees with plain Python on every hashing and every set",
    "undamaged": "Sources and lists are read to their end, with every available checksum, before a row "
    "counts (2,000 damaged files); each file must have every required column",
    "pacing": "Reconciler never gets a 429 from Criteo, whatever the rate window",
    "credentials": "A rotated token is stored before it is used, by one run at a time; a lost, denied, "
    "expired or foreign token is reported with its fix",
    "client": "The client repeats only safe requests, and distinguishes unconfirmed from rejected requests",
    "any-criteo": "The client reads responses correctly under every setting that Criteo does not document",
    "emulator-is-criteo": "The emulator responds as Criteo documents: the official SDK drives every call",
    "read-right": "The output shows the plan: no title changes a layout, and only a terminal shows exact "
    "counts",
}
