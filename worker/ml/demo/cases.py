"""Synthetic customer cases with exactly one right answer: `python -m worker.ml.demo.cases OUT.jsonl`.

Each case states a policy and the facts, and `decide` derives the answer from these alone. Standard library only. The
wording of an answer also follows from visible facts (issue, outcome, channel), so exact agreement is possible and can
be measured.
"""

import json
import random
import re
import sys
from pathlib import Path
from typing import Any

from worker.ml.demo.policies import CLOSINGS, DECISIONS, ISSUES, Issue, Outcome

INSTRUCTION = (
    "You are the customer operations assistant of an online shop. Apply the policy document exactly as "
    "written and "
    "answer with one JSON object holding decision, reason, customer_response, next_action and "
    "escalation_required. "
    "Write customer_response warmly, ready to send."
)
CASES = 3000
SEED = 20
REGIONS = ("North", "South", "East", "West")
TIERS = ("standard", "silver", "gold", "platinum")
_PRODUCTS = ("LAMP", "SHOE", "COAT", "DESK", "MUG", "BAG", "BIKE", "TENT")


def generate_cases(n: int = CASES, seed: int = SEED) -> list[dict[str, Any]]:
    """`n` rows with id, instruction, input and output; the same seed gives the same rows."""
    rng = random.Random(seed)
    rows = []
    for number, order in enumerate(rng.sample(range(100_000, 1_000_000), n)):
        name = rng.choice(list(ISSUES))
        facts = _draw_case(rng, name, wanted=rng.choice(DECISIONS))
        case = {
            "order_id": f"ORD-{order}",
            "sku": f"{rng.choice(_PRODUCTS)}-{rng.randrange(10, 100)}",
            **facts,
        }
        rows.append(
            {"id": f"case-{number:04d}", "instruction": INSTRUCTION, "input": case, "output": answer(case)}
        )
    return rows


def decide(case: dict[str, Any]) -> Outcome:
    """The outcome that the case's own policy document prescribes for its context."""
    issue = ISSUES[case["issue_type"]]
    policy, context = case["policy_document"], case["issue_context"]
    _, governed, remarked = issue.states
    state = context[issue.state_key]
    beyond = context[issue.number_key] > limit_of(policy)
    outside = beyond != issue.waits
    if issue.limit_first and outside:
        return issue.over_limit
    if state == remarked:
        return issue.remark_outcome
    if state == governed:
        return issue.clause_granted if issue.lenient[0] in policy else issue.clause_refused
    return issue.over_limit if outside else issue.granted


def answer(case: dict[str, Any]) -> dict[str, Any]:
    """The expected output of a case."""
    return wording(decide(case), channel=case["channel"], issue_type=case["issue_type"])


def wording(outcome: Outcome, *, channel: str, issue_type: str) -> dict[str, Any]:
    """The shop's standard wording of an outcome."""
    return {
        "decision": outcome.decision,
        "reason": outcome.reason,
        "customer_response": f"{ISSUES[issue_type].sympathy} {outcome.reply} {CLOSINGS[channel]}",
        "next_action": outcome.next_action,
        "escalation_required": outcome.escalate,
    }


def _draw_case(rng: random.Random, name: str, wanted: str) -> dict[str, Any]:
    """Draw cases of one issue until the decision matches, which keeps the decisions balanced."""
    issue = ISSUES[name]
    while True:
        case = _draw(rng, name, issue)
        if decide(case).decision == wanted:
            return case


def _draw(rng: random.Random, name: str, issue: Issue) -> dict[str, Any]:
    limit = rng.choice(issue.limits)
    window = limit if name == "return_request" else rng.choice(ISSUES["return_request"].limits)
    _, clauses = rng.choice((issue.lenient, issue.strict))
    sentences = [
        rng.choice(issue.limit_texts).format(n=limit),
        rng.choice(clauses),
        rng.choice(issue.remarks),
    ]
    context = {
        issue.number_key: rng.randint(1, 2 * limit),
        issue.state_key: rng.choice(issue.states),
        "message": rng.choice(issue.messages),
    }
    return {
        "region": rng.choice(REGIONS),
        "channel": rng.choice(list(CLOSINGS)),
        "customer_tier": rng.choice(TIERS),
        "issue_type": name,
        "issue_context": context,
        "policy_document": " ".join(sentences),
        "return_window_days": window,
    }


def limit_of(policy: str) -> int:
    """Days, hours or months: the only number in a policy document."""
    (number,) = re.findall(r"\d+", policy)
    return int(number)


if __name__ == "__main__":
    lines = [json.dumps(row, ensure_ascii=False) for row in generate_cases()]
    Path(sys.argv[1]).write_text("\n".join(lines) + "\n", encoding="utf-8")
