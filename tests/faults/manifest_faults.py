"""Faults in manifests, as made by people, editors and attackers."""

import os
from collections.abc import Callable

from faults.case import Case, Group, Leaves
from faults.project import World, email, sha256

BUYERS = "buyers.yaml"


def writes(content: str | bytes, name: str = BUYERS) -> Callable[[World], object]:
    data = content.encode() if isinstance(content, str) else content
    return lambda world: (world.manifests / name).write_bytes(data)


def edits(old: str, new: str, name: str = BUYERS) -> Callable[[World], object]:
    return lambda world: world.edit(name, old, new)


def adds(line: str) -> Callable[[World], object]:
    def add(world: World) -> None:
        manifest = world.manifests / BUYERS
        manifest.write_text(f"{manifest.read_text()}{line}\n")

    return add


def recodes(encoding: str) -> Callable[[World], object]:
    def recode(world: World) -> None:
        manifest = world.manifests / BUYERS
        manifest.write_bytes(manifest.read_text().encode(encoding))

    return recode


def links_in_a_circle(world: World) -> None:
    (world.manifests / "a.yaml").symlink_to("b.yaml")
    (world.manifests / "b.yaml").symlink_to("a.yaml")


def links_to_its_parent(world: World) -> None:
    (world.manifests / "again").symlink_to("..")


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(12)
)

YAML = Group(
    "Manifests",
    "For an invalid manifest, reconciler makes no call to Criteo.",
    (
        Case(
            "a merge conflict is left in a manifest",
            adds("<<<<<<< HEAD\ndescription: a\n=======\ndescription: b\n>>>>>>> branch"),
            3,
            "a merge conflict that is not resolved",
            "remove the lines that begin with",
        ),
        Case(
            "a bracket is never closed",
            edits("[email, customer]", "[email, customer"),
            3,
            "is not closed, or a comma is missing in it",
            "close it with `]`",
        ),
        Case(
            "a line is indented with a tab",
            edits("source: {", "source:\n\tfiles: {"),
            3,
            "a tab in the indentation",
            "indent with spaces",
        ),
        Case(
            "a key is given twice",
            adds("title: Others"),
            3,
            "`title` is given twice, first on line 3",
            "keep one of the two",
        ),
        Case(
            "a key is misspelt",
            edits("destinations:", "destination:"),
            3,
            "unknown key `destination`",
            "did you mean `destinations`?",
        ),
        Case(
            "a value is of the wrong kind",
            edits("[email, customer]", "email"),
            3,
            "`destinations` must be a list",
            "write `- item` lines below it",
        ),
        Case(
            "a key has no value",
            edits("title: Buyers", "title:"),
            3,
            "`title` has no value",
            "write text",
        ),
        Case(
            "the kind is unknown",
            edits("kind: Audience", "kind: Audiences"),
            3,
            "unknown kind",
            "did you mean `Audience`?",
        ),
        Case(
            "the environment is not there",
            lambda world: None,
            3,
            "there is no environment of that name",
            "environments here: sandbox",
            run=("apply", "sandbxo", "--yes"),
        ),
        Case(
            "the file environment.yaml is missing",
            lambda world: (world.manifests / "environment.yaml").unlink(),
            3,
            "environment.yaml",
            "kind: Environment",
        ),
        Case(
            "a destination is not declared",
            edits("[email, customer]", "[emial, customer]"),
            3,
            "there is no Destination of that name",
            "did you mean `email`?",
        ),
        Case(
            "two audiences have one name",
            lambda world: (world.manifests / "other.yaml").write_text((world.manifests / BUYERS).read_text()),
            3,
            "name",
            "buyers",
        ),
        Case(
            "two audiences would have one name at Criteo",
            lambda world: (world.manifests / "other.yaml").write_text(
                (world.manifests / BUYERS)
                .read_text()
                .replace("name: buyers", "name: other")
                .replace("title: Buyers", "title: BUYERS")
            ),
            3,
            "name",
            "title",
        ),
        Case(
            "a manifest holds an e-mail address",
            edits("title: Buyers", f"title: Like {email(1)}"),
            3,
            "this looks like an e-mail address",
            "keep it in a source file",
        ),
        Case(
            "a manifest holds a hash of somebody",
            adds(f"description: {sha256(email(1))}"),
            3,
            "this looks like a hashed identifier",
            "keep it in a source file",
        ),
        Case(
            "a title holds a character that nobody sees",
            edits("title: Buyers", "title: Buy\u200bers"),
            3,
            "buyers.yaml:3:11: an invisible character in `title`: ZERO WIDTH SPACE (U+200B)",
            "remove it",
        ),
        Case(
            "a plain value begins with %",
            edits("title: Buyers", "title: %buyers"),
            3,
            "a plain value can't begin with `%`",
            "put quotes around the value",
        ),
        Case(
            "a plain value begins with @",
            edits("title: Buyers", "title: @buyers"),
            3,
            "a plain value can't begin with `@`",
            "put quotes around the value",
        ),
        Case(
            "a plain pattern begins with *",
            edits('["people.csv"]', "[*.csv]"),
            3,
            "a plain value can't begin with `*`",
            'put quotes around the value, as in "*.csv"',
        ),
        Case(
            "a # swallows half of a title",
            edits("title: Buyers", "title: Buyers #1"),
            3,
            "begins a comment: what follows is not part of it",
            "put quotes around the title",
        ),
        Case(
            "a colon has no space after it",
            edits("{maxShrink: 50%", "{maxShrink:50%", "environment.yaml"),
            3,
            "has no space after its colon",
            "write `key: value`, with a space",
        ),
        Case(
            "a manifest is binary junk",
            writes(bytes(range(256)) * 20),
            3,
            "not UTF-8",
            "save the file as UTF-8",
        ),
        Case(
            "a manifest holds a NUL",
            writes(b"kind: Audience\x00\n"),
            3,
            "a control character (U+0000)",
            "remove it",
        ),
        Case(
            "a manifest is UTF-16",
            recodes("utf-16"),
            3,
            "the file is UTF-16, not UTF-8",
            "save the file as UTF-8",
        ),
        Case(
            "a manifest is empty", writes(""), 3, "the file holds no manifest", "add a document with `kind:`"
        ),
        Case(
            "aliases multiply each other",
            writes(BOMB, "bomb.yaml"),
            3,
            "an anchor (`&name`) is not part of manifests",
            "write it out where it counts",
        ),
        Case(
            "brackets are nested five hundred deep",
            writes("a: " + "[" * 500 + "]" * 500, "deep.yaml"),
            3,
            "nested too deeply",
            "close the brackets",
        ),
        Case(
            "a manifest has ten megabytes",
            writes("# x\n" * 2_600_000, "large.yaml"),
            3,
            "the file is larger than 4 MB",
            "divide manifests by audience",
        ),
        Case(
            "a named pipe is called x.yaml",
            lambda world: os.mkfifo(world.manifests / "x.yaml"),
            3,
            "x.yaml:1:1: this is no file that can be read",
            "remove it, or give it another ending",
        ),
        Case(
            "a manifest is a link to itself",
            links_in_a_circle,
            3,
            "the file can't be read",
            "check that it is a file",
        ),
        Case(
            "what `init` wrote to be replaced still stands there",
            edits("3239117063738827231", "0", "environment.yaml"),
            3,
            "this is still a placeholder",
            "write the id of the retailer in that account",
        ),
        Case(
            "a number has a comma",
            edits("minMembers: 1,", "minMembers: 1,000,", "environment.yaml"),
            3,
            "a comma in a number ends it",
            "write 1000, without a comma",
        ),
        Case("a folder links to its own parent", links_to_its_parent, 0, "2 applied", leaves=Leaves.ALL),
        Case(
            "a folder is called x.yaml",
            lambda world: (world.manifests / "x.yaml").mkdir(),
            0,
            "2 applied",
            leaves=Leaves.ALL,
        ),
    ),
)
