"""Training data of the demonstration's base model, before any fine-tuning.

The lessons cover the shop's domain without ever showing the right answer to a case:
- an exercise gives findings about a case and its policy: numbers, a comparison, a code word for the branch;
- a phrase gives one of the shop's answers to an issue, drawn at random and without a case, so it teaches the shop's
  wording and not when to use it;
- a careless answer shows how the model answers before fine-tuning: fluent, valid JSON that ignores the policy, uses
  decisions that the policy does not define, and is too long.
"""

import random
from typing import Any

from worker.ml.data import Row
from worker.ml.demo.cases import INSTRUCTION, decide, generate_cases, limit_of, wording
from worker.ml.demo.policies import ISSUES

EXERCISE = "Reading exercise: give the findings for this case and its policy document as JSON."
BATCH = 16
PHRASE = "Phrase book: give any answer of the shop on this issue as JSON."
_BRANCHES = {
    "granted": "north",
    "over_limit": "south",
    "clause_granted": "east",
    "clause_refused": "west",
    "remark_outcome": "centre",
}
_CARELESS_DECISIONS = {
    "standard": "Available",
    "silver": "Approved",
    "gold": "Eligible",
    "platinum": "Available",
}
_GREETINGS = {
    "email": "Hello! Thank you for writing to us, we are always happy to help.",
    "chat": "Hi there! Thank you for reaching out to our chat team today.",
    "phone": "Good day! Thank you for calling, your call means a lot to us.",
    "app": "Welcome! Thank you for using our app to contact us.",
}


def lessons(batches: int, seed: int) -> list[list[Row]]:
    """Batches that each contain one kind of lesson, because lengths differ: four of exercises, one of phrases and
    one of careless answers in turn."""
    kinds = [exercise_row, exercise_row, phrase_row, exercise_row, exercise_row, careless_row]
    return [
        [kinds[number % 6](*case) for case in batch] for number, batch in enumerate(_cases(batches, seed))
    ]


def _cases(batches: int, seed: int) -> list[list[tuple[str, dict[str, Any]]]]:
    """(id, input) of cases drawn with another seed than the demonstration's own."""
    cases = [(case["id"], case["input"]) for case in generate_cases(batches * BATCH, seed)]
    return [cases[start : start + BATCH] for start in range(0, len(cases), BATCH)]


def careless_row(row_id: str, case: dict[str, Any]) -> Row:
    """The demonstration's instruction with a long answer that ignores the policy."""
    issue = case["issue_type"]
    context = case["issue_context"]
    words = issue.replace("_", " ")
    state_key = ISSUES[issue].state_key
    number_key = ISSUES[issue].number_key
    output = {
        "decision": _CARELESS_DECISIONS[case["customer_tier"]],
        "reason": (
            f"The issue type is '{issue}' and the {state_key} is '{context[state_key]}'. The {number_key} is "
            f"{context[number_key]}. This seems to fall under the general conditions of the policy document."
        ),
        "customer_response": (
            f"{_GREETINGS[case['channel']]} Since your issue involves {words}, we believe that a solution is "
            f"available for {case['sku']}. Please note that we may need some more details before we can "
            f"proceed. "
            "If there are any other questions or concerns, please let us know so that we can assist further."
        ),
        "next_action": f"Proceed with the {words} for the customer in {case['region']}.",
        "escalation_required": False,
    }
    return Row(row_id, INSTRUCTION, case, output)


def exercise_row(row_id: str, case: dict[str, Any]) -> Row:
    """Three of the findings, in an order that varies between rows.

    A finding that may come first must be read from the prompt, as a decision must be later; it cannot be derived from
    the findings before it.
    """
    findings = _findings(case)
    keys = random.Random(row_id).sample(list(findings), 3)
    return Row(row_id, EXERCISE, case, {key: findings[key] for key in keys})


def phrase_row(row_id: str, case: dict[str, Any]) -> Row:
    """One of the five outcomes of the issue at random. The case is not shown, so the outcome cannot be derived from
    it."""
    outcome = getattr(ISSUES[case["issue_type"]], random.Random(row_id).choice(list(_BRANCHES)))
    given = {"channel": case["channel"], "issue_type": case["issue_type"]}
    return Row(row_id, PHRASE, given, wording(outcome, **given))


def _findings(case: dict[str, Any]) -> dict[str, Any]:
    issue = ISSUES[case["issue_type"]]
    context = case["issue_context"]
    number, limit = context[issue.number_key], limit_of(case["policy_document"])
    outcome = decide(case)
    return {
        "number": number,
        "limit": limit,
        "within": number <= limit,
        "state": context[issue.state_key],
        "clause": "open" if issue.lenient[0] in case["policy_document"] else "shut",
        "branch": next(code for name, code in _BRANCHES.items() if getattr(issue, name) == outcome),
    }
