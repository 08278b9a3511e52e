"""How each command is called; a new command or option without a case fails its test."""

from leaks.markers import MARKERS

SERVE = ("emulator", "serve", "sandbox", "--host", "127.0.0.1", "--port", "0")
FAULT = ("emulator", "fault", "sandbox", "429")
OFFLINE = {
    "init": [("init",), ("init", ".", "--ci", "gitlab", "--sandbox", "criteo", "--admins", "@acme/a",
              "--owners", "@acme/b"),
             ("init", ".", "--from", "data/people.csv", "--github-setup")],
    "validate": [("validate",), ("validate", "sandbox", "--data-root", "data"), ("validate", "--json"),
                 ("validate", "--online")],
    "doctor": [("doctor", "sandbox"), ("doctor", "sandbox", "--plan", "--json"),
               ("doctor", "sandbox", "--apply"),
               ("doctor", "sandbox", "--emulate", "--data-root", "data")],
    "plan": [
        ("plan", "sandbox"),
        ("plan", "sandbox", "--detailed-exitcode", "--only", "raw/buyers"),
        ("plan", "sandbox", "--emulate", "--data-root", "data"),
        ("plan", "sandbox", "--out", "p.json", "--markdown", "p.md", "--html", "p.html"),
        ("plan", "sandbox", "--json"),
        ("plan", "sandbox", "--statistics"),
        ("plan", "sandbox", "--read-sources", "--deadline", "12:00Z"),
        ("plan", "sandbox", "--base", "person"),
    ],
    "apply": [("apply", "sandbox", "--yes"), ("apply", "sandbox", "--yes", "--events", "events.ndjson"),
              ("apply", "sandbox", "--yes", "--events", "-"), ("apply", "sandbox", "-y", "--emulate"),
              ("apply", "sandbox", "--yes", "--data-root", "data", "--only", "call/buyers"),
              ("apply", "sandbox", "--yes", "--json", "--out", "p.json", "--markdown", "p.md", "--html",
               "p.html"),
              ("apply", "sandbox", "--yes", "--members-only"),
              ("apply", "sandbox", "--yes", "--read-sources", "--deadline", "12:00Z"),
              ("apply", "sandbox", "--yes", "--statistics", "--actor", "mona"),
              ("apply", "sandbox", "--yes", "--approved", "p.json", "--approved-digest",
               "sha256:" + "0" * 64, "--approved-by", "mona")],
    "teardown": [
        ("teardown", "sandbox", "--yes", "--confirm", "sandbox", "--actor", "mona"),
        ("teardown", "sandbox", "--plan", "--delete", "--json"),
        ("teardown", "sandbox", "-y", "--confirm", "sandbox", "--delete", "--only", "raw/buyers", "--out",
         "p.json", "--markdown", "p.md", "--html", "p.html"),
        ("teardown", "sandbox", "-y", "--confirm", "sandbox", "--approved", "p.json", "--approved-digest",
         "sha256:" + "0" * 64, "--approved-by", "mona"),
    ],
    "audit": [("audit", "sandbox"), ("audit", "sandbox", "--verify", "--json"),
              ("audit", "sandbox", "--head", "2:sha256:" + "0" * 64)],
    "drift": [("drift", "sandbox"), ("drift", "sandbox", "--json", "--only", "raw/buyers"),
              ("drift", "sandbox", "--emulate", "--out", "p.json", "--markdown", "p.md", "--html", "p.html")],
    "show": [("show", "p.json"), ("show", "p.json", "--digest"), ("show", "p.json", "--json"),
             ("show", "p.json", "--markdown", "p.md", "--html", "p.html")],
    "status": [("status", "sandbox"), ("status", "sandbox", "--statistics", "--only", "raw/buyers"),
               ("status", "sandbox", "--emulate"), ("status", "sandbox", "--json")],
    "verify": [("verify", "sandbox"), ("verify", "sandbox", "--json", "--only", "raw/buyers"),
               ("verify", "sandbox", "--wait", "--actor", "mona")],
    "diff": [("diff", "sandbox", "sandbox"), ("diff", "sandbox", "sandbox", "--json"),
             ("diff", "sandbox", "sandbox", "--markdown")],
    "promote": [("promote", "sandbox", "production"),
                ("promote", "sandbox", "production", "--only", "buyers", "--branch", "main", "--markdown",
                 "p.md"),
                ("promote", "sandbox", "production", "--commit"),
                ("promote", "sandbox", "production", "--check"),
                ("promote", "sandbox", "production", "--abort")],
    "report": [("report", "sandbox"), ("report", "sandbox", "--html", "r.html"),
               ("report", "sandbox", "--json")],
    "explain": [("explain", "sandbox", "raw/buyers"), ("explain", "sandbox", "phone/buyers", "--emulate",
                 "--data-root", "data"), ("explain", "sandbox", "raw/buyers", "--json")],
    "dump": [("dump", "sandbox"), ("dump", "sandbox", "--out", "dumped")],
    "find": [("find", "sandbox"), ("find", "sandbox", "--json")],
    "erase": [("erase", "sandbox", "--plan"), ("erase", "sandbox", "--yes", "--json", "--actor", "mona"),
              ("erase", "sandbox", "--rotate-key", "--yes")],
    "codeowners": [("codeowners", "--admins", "@acme/a", "--owners", "@acme/b", "--check",
                    "data/people.csv")],
    "completion": [("completion", "bash"), ("completion", "zsh"), ("completion", "fish")],
    "emulator serve": [SERVE],
    "emulator reset": [("emulator", "reset", "sandbox")],
    "emulator revoke": [("emulator", "revoke", "sandbox")],
    "state show": [("state", "show", "sandbox"), ("state", "show", "sandbox", "--json")],
    "state history": [("state", "history", "sandbox"), ("state", "history", "sandbox", "--json")],
    "state restore": [("state", "restore", "sandbox", "--serial", "1", "--yes", "--accept-loss", "--actor",
                       "mona")],
    "state rebuild": [
        ("state", "rebuild", "sandbox"),
        ("state", "rebuild", "sandbox", "--adopt", "raw/buyers=1"),
        ("state", "rebuild", "sandbox", "--reuse", "--yes", "--actor", "mona"),
        ("state", "rebuild", "sandbox", "--replace", "-y"),
        ("state", "rebuild", "sandbox", "--assume-members", "data/people.csv", "--only", "raw/buyers", "-y"),
    ],
    "state export": [("state", "export", "sandbox", ".reconciler/state/out.zip", "--actor", "mona")],
    "state import": [("state", "import", "sandbox", ".reconciler/state/out.zip", "--yes", "--actor", "mona")],
    "state reseal": [("state", "reseal", "sandbox", "--actor", "mona")],
    "state lock list": [("state", "lock", "list", "sandbox"), ("state", "lock", "list", "sandbox", "--json")],
    "state lock break": [("state", "lock", "break", "sandbox", "--id", "1234", "--actor", "mona")],
    "emulator advance": [("emulator", "advance", "sandbox", "12h")],
    "emulator fault": [(*FAULT, "--operation", "token", "--times", "1", "--after", "1", "--for", "1s")],
}  # fmt: skip
"""Each command, with each of its options somewhere; those that ask for consent are below."""
CONSENTED = {
    "auth url": [("auth", "url", "sandbox", "criteo"), ("auth", "url", "sandbox", "criteo", "--plan")],
    "auth login": [
        ("auth", "login", "sandbox", "criteo", "--timeout", "9s"),
        ("auth", "login", "sandbox", "criteo", "--plan", "--paste"),
    ],
    "auth status": [("auth", "status", "sandbox"), ("auth", "status", "sandbox", "criteo", "--json")],
}
"""They need an application that somebody consents to."""
CODES = {
    "init": 3,
    "promote": 3,
    "codeowners": 5,
    "state lock break": 7,
    "state restore": 10,
    "state import": 10,
}
"""How a row ends where it can't end with 0: manifests are in the way, and people are no CODEOWNERS; a folder
has no lock to break, one apply keeps nothing, and no git is here to merge with."""
ODD = {
    "--from": 0,
    "--base": 3,
    "--detailed-exitcode": 2,
    "--approved-digest": 6,
    "--head": 10,
}
"""The exit code of rows with these options: there are changes, and their digest is not known beforehand."""
FIRST = {"show": ("plan", "sandbox", "--quiet", "--out", "p.json"),
         "verify": ("emulator", "advance", "sandbox", "1d")}  # fmt: skip
"""What must have been run before."""
PERSONS = "\n".join((*(one.email for one in MARKERS.people), *(one.customer for one in MARKERS.people),
                     *(one.phone for one in MARKERS.misfits), *MARKERS.hashes))  # fmt: skip
GIVEN = {"find": PERSONS, "erase": PERSONS}
"""What they read from standard input."""
LOST = frozenset({"state rebuild"})
"""Before each of their runs the state is lost."""
LOUDNESS = (("--quiet",), ("--no-color",), ("--verbose",), ("-C", "."))
"""What all commands take: the first row of each is run with each of these, the others with `--verbose`."""
