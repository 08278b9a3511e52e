"""What is promised to those who use this, in their words; tests say by a mark which one they prove."""

PROMISES = {
    "converges": "Killed at any instruction, answered late or not at all: one clean run later Criteo holds "
    "exactly the desired members, the next plan is empty, and an empty plan writes nothing (5,000 histories)",
    "rules": "Each rule that state is kept by is needed: taken out, that proof fails within 5,000 histories",
    "real": "The same histories, 100 of them, on the real engine, the state on disk and the emulator",
    "killed-processes": "Real processes killed, stopped, paused or out of disk in mid-apply lose nothing; at "
    "most one batch per segment and kill is sent twice",
    "state": "What is written down survives; what is damaged, newer or another's is refused by name; "
    "two runs can't write one environment",
    "refused-early": "What is wrong is refused before the first write, all findings at once, each with place",
    "guards": "A change larger than the guards allow, or lost access, sends nothing",
    "lists": "An exclusion list that shrinks, breaks, vanishes and comes back lets nobody back in whom the "
    "list last applied names, beyond what its limit or a reviewed definition lets pass (500 histories)",
    "approved": "What is applied is what was approved, within the bounds that were written down, or nothing",
    "faults": "Bad input and faults: each has its message, its way out and its exit code, and loses nothing",
    "private": "No identifier, token or secret is in any output, log, error, plan or temporary file",
    "members": "Members are exact: the engine, in SQL, agrees with plain Python on every form and every set",
    "undamaged": "Sources and lists are read to their end, with every checksum they have, before a row "
    "counts (2,000 damaged files), and each of their files must have every column that is asked of it",
    "pacing": "Criteo's limit is never met with a 429, however the window behaves",
    "credentials": "A rotated token is kept before it is used, by one run at a time; what is lost, denied, "
    "too old or another's is said, with whom to ask",
    "client": "What is sent again is safe to send again, and doubt is told from a no",
    "any-criteo": "Whatever Criteo leaves unsaid, the client reads it right",
    "emulator-is-criteo": "The emulator answers as Criteo documents: the official SDK drives every call",
    "read-right": "What is shown is what is planned: no title bends a layout, and counts are exact only at "
    "a terminal",
}
