"""Creates and updates: where failures are reported, and which names are valid."""

from fidelity.experiment import Experiment, Result
from fidelity.lab import CODE, Lab, Seen, Unseen
from reconciler.emulator.switches import Switches

ASSUMED = Switches()


def failures(lab: Lab) -> Result:
    lab.contact_list("taken")
    seen = lab.create("good", "taken")
    if seen.status == 400 and seen.entries("errors"):
        return Result("http-400", seen.summary)
    for place in ("warnings", "errors"):
        if seen.status == 200 and seen.entries(place):
            return Result(place, f"{seen.summary}; {len(seen.data)} of 2 done")
    raise Unseen(f"no entry reported the failure: {seen.summary}")


def source(lab: Lab) -> Result:
    lab.contact_list("taken")
    seen = lab.create("taken")
    entries = [*seen.entries("errors"), *seen.entries("warnings")]
    if not entries:
        raise Unseen(f"no entry reported the failure: {seen.summary}")
    value = entries[0].get("source")
    keys = sorted(value) if isinstance(value, dict) else []
    return Result("null" if not value else "given", ", ".join(filter(CODE.fullmatch, map(str.lower, keys))))


def name_scope(lab: Lab) -> Result:
    other = lab.settings.other_retailer_id
    if not other:
        raise Unseen("name a second retailer in CRITEO_FIDELITY_OTHER_RETAILER_ID")
    lab.contact_list("same")
    seen = lab.create("same", retailer=other)
    return Result("retailer" if seen.data else "account", seen.summary)


def descriptions(lab: Lab) -> Result:
    """Find out whether a description with an ownership tag is kept."""
    segment, text = lab.contact_list("described"), "Described [reconciler 0123456789-1a2b]"
    changed = lab.update((segment, {"description": {"value": text}}))
    [found] = lab.segments(audienceSegmentIds=[segment])
    kept = found["attributes"].get("description") == text
    return Result("kept" if kept else "dropped", changed.summary)


def names_reusable(lab: Lab) -> Result:
    gone = lab.delete(lab.contact_list("again"))
    if not gone.data:
        raise Unseen(f"no segment could be deleted: {gone.summary}")
    seen = lab.create("again")
    return Result(bool(seen.data), seen.summary)


def name_comparison(lab: Lab) -> Result:
    lab.contact_list("alike")
    case, spaces = lab.create("ALIKE"), lab.create("alike ")
    ignored = [word for word, seen in (("case", case), ("spaces", spaces)) if _taken(seen)]
    return Result(", ".join(ignored) or "nothing", f"{case.summary}; {spaces.summary}")


def longest_name(lab: Lab) -> Result:
    room = 256 - len(lab.prefix) - 1
    most, more = lab.create("n" * room), lab.create("m" * (room + 1))
    if not most.data:
        return Result("less than 256", most.summary)
    return Result("256" if not more.data else "more than 256", more.summary)


def _taken(seen: Seen) -> bool:
    return not seen.data and "name-must-be-unique" in seen.summary


EXPERIMENTS = (
    Experiment(
        "failures",
        "Where is a failed item of a bulk call reported?",
        ASSUMED.failures,
        failures,
        switch="failures",
    ),
    Experiment("source", "Does an entry say which item it is about?", "null", source),
    Experiment(
        "name-scope", "Within what is a name unique?", ASSUMED.name_scope, name_scope, switch="name_scope"
    ),
    Experiment(
        "descriptions",
        "Does a segment keep its description, to the letter?",
        ASSUMED.descriptions,
        descriptions,
        switch="descriptions",
    ),
    Experiment(
        "names-reusable",
        "May the name of a deleted segment be given again?",
        ASSUMED.names_reusable,
        names_reusable,
        switch="names_reusable",
    ),
    Experiment(
        "name-comparison", "What is ignored when names are compared?", "case, spaces", name_comparison
    ),
    Experiment("longest-name", "How long may a name be?", "256", longest_name),
)
