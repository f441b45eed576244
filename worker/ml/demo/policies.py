"""The demonstration shop's policies: the sentences of each document and the resulting outcomes.

Every policy has the same structure, so any reader can derive its outcome: a limit that one number of the case is
compared with, a clause in one of two senses that governs one circumstance, and a remark that assigns a fixed outcome to
another circumstance. A clause is recognised by a fixed phrase.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """The shop's answer. `reply` is the middle of the customer response."""

    decision: str
    reason: str
    reply: str
    next_action: str
    escalate: bool = False


@dataclass(frozen=True)
class Issue:
    """One issue type.

    `states` are the shop system's codes for (normal, governed by the clause, governed by the remark). `limit_first`: a
    case beyond the limit is decided regardless of its state. `waits`: a claim is valid only beyond the limit (a delay),
    instead of only within it (a return period).
    """

    number_key: str
    state_key: str
    states: tuple[str, str, str]
    limits: tuple[int, ...]
    limit_texts: tuple[str, ...]
    lenient: tuple[str, tuple[str, ...]]
    strict: tuple[str, tuple[str, ...]]
    remarks: tuple[str, ...]
    sympathy: str
    messages: tuple[str, ...]
    granted: Outcome
    over_limit: Outcome
    clause_granted: Outcome
    clause_refused: Outcome
    remark_outcome: Outcome
    limit_first: bool = False
    waits: bool = False


YES, NO, PART, REVIEW = "Eligible", "Not eligible", "Partially eligible", "Needs review"
DECISIONS = (YES, NO, PART, REVIEW)

CLOSINGS = {
    "email": "I will confirm each step by email.",
    "chat": "I am here if anything is unclear.",
    "phone": "You can call me back at any time.",
    "app": "You can follow every step in the app.",
}

# A table: it reads better by fact than by argument.
# fmt: off
ISSUES: dict[str, Issue] = {
    "return_request": Issue(
        number_key="days_since_delivery",
        state_key="item_condition",
        states=("UNOPENED", "OPENED", "WORN"),
        limits=(14, 21, 30, 45, 60),
        limit_texts=(
            "Returns are accepted within {n} days of delivery.",
            "The return period ends {n} days after delivery.",
            "Send items back no later than {n} days after delivery.",
        ),
        lenient=(
            "store credit",
            ("Opened items earn store credit.", "For opened items we offer store credit."),
        ),
        strict=(
            "not taken back",
            ("Opened items are not taken back.", "Once opened, items are not taken back."),
        ),
        remarks=("Worn items go to inspection.", "We send worn items to inspection."),
        sympathy="I understand that the item was not right for you.",
        messages=(
            "It is not what I hoped for.",
            "The size does not suit me.",
            "I changed my mind.",
            "It was a gift.",
        ),
        granted=Outcome(YES, "Unopened and inside the return period.",
            "You can send it back free of charge.", "Send return label"),
        over_limit=Outcome(NO, "The return period is over.",
            "The time for returns has passed, so I cannot accept it.", "Close the request"),
        clause_granted=Outcome(PART, "Opened item inside the return period.",
            "I can offer store credit for it.", "Issue store credit"),
        clause_refused=Outcome(NO, "Opened items are excluded.",
            "Opened items are excluded, so I cannot accept it.", "Close the request"),
        remark_outcome=Outcome(REVIEW, "A worn item needs inspection.",
            "Our inspection team will look at it first.", "Book an inspection", escalate=True),
        limit_first=True,
    ),
    "order_modification": Issue(
        number_key="hours_since_order",
        state_key="order_stage",
        states=("PLACED", "PACKED", "SHIPPED"),
        limits=(2, 4, 6, 8, 12, 24),
        limit_texts=(
            "Orders can be changed within {n} hours.",
            "We change an order up to {n} hours after purchase.",
            "The time for changes is {n} hours.",
        ),
        lenient=(
            "warehouse check",
            ("Packed orders need a warehouse check.", "Packed: only after a warehouse check."),
        ),
        strict=(
            "stay as they are",
            ("Packed orders stay as they are.", "Once packed, orders stay as they are."),
        ),
        remarks=("Shipped orders can be exchanged later.", "After shipping only an exchange is possible."),
        sympathy="I see that you would like to change your order.",
        messages=(
            "Please change the size.",
            "I chose the wrong colour.",
            "I need two of them.",
            "Add gift wrap please.",
        ),
        granted=Outcome(YES, "Order not yet processed.", "I am making the change for you right away.",
            "Update the order"),
        over_limit=Outcome(NO, "The time for changes is over.",
            "It is too late for changes to this order.", "Keep the order"),
        clause_granted=Outcome(REVIEW, "Packed order needs a warehouse check.",
            "I am asking the warehouse for you.", "Ask the warehouse", escalate=True),
        clause_refused=Outcome(NO, "Packed orders cannot change.",
            "It is packed already and cannot change.", "Keep the order"),
        remark_outcome=Outcome(PART, "Shipped order can be exchanged.",
            "I can exchange it once it has arrived.", "Prepare an exchange"),
    ),
    "cancellation": Issue(
        number_key="hours_since_order",
        state_key="order_stage",
        states=("WAITING", "IN_PACKING", "WITH_CARRIER"),
        limits=(1, 3, 6, 12, 24, 48),
        limit_texts=(
            "Orders can be cancelled within {n} hours.",
            "You may cancel up to {n} hours after purchase.",
            "Cancelling is free for {n} hours.",
        ),
        lenient=(
            "small fee",
            ("In packing a small fee applies.", "Orders in packing are cancelled for a small fee."),
        ),
        strict=("too late", ("In packing it is too late.", "For orders in packing it is too late.")),
        remarks=(
            "With the carrier a supervisor decides.",
            "A supervisor decides on orders with the carrier.",
        ),
        sympathy="I understand that you no longer need this order.",
        messages=(
            "Please stop the order.",
            "I ordered it twice.",
            "I found it elsewhere.",
            "My plans have changed.",
        ),
        granted=Outcome(YES, "Order can still be stopped.",
            "I have cancelled it and your money is on its way.", "Cancel and refund"),
        over_limit=Outcome(NO, "The time for cancelling is over.", "It can no longer be cancelled.",
            "Explain returns"),
        clause_granted=Outcome(PART, "Order in packing, a fee applies.",
            "I can cancel it for a small fee.", "Cancel less the fee"),
        clause_refused=Outcome(NO, "Order is in packing.", "It is being packed and cannot be stopped.",
            "Explain returns"),
        remark_outcome=Outcome(REVIEW, "Order is with the carrier.",
            "My supervisor will decide about it today.", "Ask a supervisor", escalate=True),
    ),
    "damaged_item": Issue(
        number_key="days_since_delivery",
        state_key="photo",
        states=("CLEAR", "NONE", "BLURRED"),
        limits=(2, 3, 5, 7, 10),
        limit_texts=(
            "Report damage within {n} days of delivery.",
            "Damage must be reported no later than {n} days after delivery.",
            "We accept damage reports for {n} days.",
        ),
        lenient=(
            "specialist",
            ("Without a photo a specialist decides.", "A specialist looks at cases with no photo."),
        ),
        strict=("photo is required", ("A photo is required.", "For every claim a photo is required.")),
        remarks=("A blurred photo allows half the price.", "With a blurred photo we pay half the price."),
        sympathy="I am so sorry that your item arrived damaged.",
        messages=(
            "The box was crushed.",
            "The glass is broken.",
            "There is a deep scratch.",
            "One corner is bent.",
        ),
        granted=Outcome(YES, "Damage reported in time with a photo.", "I am sending a new one today.",
            "Send a replacement"),
        over_limit=Outcome(NO, "Damage was reported too late.",
            "The report came too late for a replacement.", "Close the claim"),
        clause_granted=Outcome(REVIEW, "No photo, a specialist decides.",
            "A specialist will contact you about it.", "Pass to a specialist", escalate=True),
        clause_refused=Outcome(NO, "The photo is missing.", "Without a photo I cannot accept the claim.",
            "Close the claim"),
        remark_outcome=Outcome(PART, "The photo is blurred.", "I can return half the price to you.",
            "Refund half the price"),
        limit_first=True,
    ),
    "late_delivery": Issue(
        number_key="days_late",
        state_key="cause",
        states=("CARRIER", "WEATHER", "CUSTOMS"),
        limits=(2, 3, 4, 5, 7),
        limit_texts=(
            "We pay for delays of more than {n} days.",
            "A delay counts after {n} days.",
            "Delays up to {n} days are normal.",
        ),
        lenient=("voucher", ("For weather we give a voucher.", "Weather delays earn a voucher.")),
        strict=("nobody's fault", ("Weather is nobody's fault.", "Bad weather is nobody's fault.")),
        remarks=("Customs delays are checked by hand.", "We check customs delays by hand."),
        sympathy="I am sorry that your parcel is late.",
        messages=(
            "Where is my parcel?",
            "I have waited long enough.",
            "It was a birthday gift.",
            "Nobody told me.",
        ),
        granted=Outcome(YES, "The delay is longer than normal.", "I am paying back the delivery cost.",
            "Refund delivery cost"),
        over_limit=Outcome(NO, "The delay is still normal.", "The delay is still within the normal time.",
            "Watch the parcel"),
        clause_granted=Outcome(PART, "The weather caused the delay.",
            "I have added a voucher to your account.", "Add a voucher"),
        clause_refused=Outcome(NO, "Weather is not compensated.",
            "We cannot pay for delays caused by weather.", "Watch the parcel"),
        remark_outcome=Outcome(REVIEW, "Customs holds the parcel.",
            "Our customs team will check it by hand.", "Open a customs case", escalate=True),
        waits=True,
    ),
    "warranty_claim": Issue(
        number_key="months_since_purchase",
        state_key="cause",
        states=("DEFECT", "ACCIDENT", "UNCLEAR"),
        limits=(6, 12, 18, 24, 36),
        limit_texts=(
            "The warranty lasts {n} months.",
            "We repair faults for {n} months after purchase.",
            "Faults are covered up to {n} months.",
        ),
        lenient=(
            "half the cost",
            ("Accidents: we carry half the cost.", "After accidents we pay half the cost."),
        ),
        strict=("own risk", ("Accidents are at your own risk.", "Any accident is at your own risk.")),
        remarks=("Unclear faults go to the repair team.", "The repair team looks at unclear faults."),
        sympathy="I am sorry that your item stopped working.",
        messages=(
            "It does not switch on.",
            "The screen is dark.",
            "It makes a loud noise.",
            "The handle came off.",
        ),
        granted=Outcome(YES, "Fault is covered by the warranty.", "We will repair it free of charge.",
            "Book a repair"),
        over_limit=Outcome(NO, "The warranty has ended.", "The warranty has ended, so I cannot cover it.",
            "Offer paid repair"),
        clause_granted=Outcome(PART, "Accident, half the cost is covered.",
            "We can pay half of the repair.", "Send a cost estimate"),
        clause_refused=Outcome(NO, "Accidents are not covered.", "Accidents are not part of the warranty.",
            "Offer paid repair"),
        remark_outcome=Outcome(REVIEW, "The cause is unclear.", "Our repair team will find out the cause.",
            "Ask the repair team", escalate=True),
        limit_first=True,
    ),
    "refund_status": Issue(
        number_key="days_since_return",
        state_key="parcel",
        states=("RECEIVED", "PARTIAL", "MISSING"),
        limits=(3, 5, 7, 10, 14),
        limit_texts=(
            "Refunds take up to {n} days.",
            "A refund is late after {n} days.",
            "We pay refunds within {n} days.",
        ),
        lenient=("in part", ("A partial parcel is paid in part.", "We pay in part for a partial parcel.")),
        strict=(
            "wait for the rest",
            ("With partial parcels we wait for the rest.", "If partial, we wait for the rest."),
        ),
        remarks=("A missing parcel starts a search.", "We start a search for a missing parcel."),
        sympathy="I know that waiting for money is not easy.",
        messages=(
            "Where is my refund?",
            "My bank shows nothing.",
            "I sent it back long ago.",
            "I need the money.",
        ),
        granted=Outcome(YES, "The refund is overdue.", "I am paying your refund today.",
            "Pay the refund now"),
        over_limit=Outcome(NO, "The refund is still in time.", "Your refund is still on its normal way.",
            "Wait for the refund"),
        clause_granted=Outcome(PART, "Only some items came back.",
            "I am paying for the items that we have.", "Pay for some items"),
        clause_refused=Outcome(NO, "We still wait for some items.", "We must wait for the other items.",
            "Wait for the items"),
        remark_outcome=Outcome(REVIEW, "The parcel is missing.",
            "I have started a search for your parcel.", "Start a search", escalate=True),
        waits=True,
    ),
    "price_adjustment": Issue(
        number_key="days_since_purchase",
        state_key="offer",
        states=("REGULAR", "CLEARANCE", "PARTNER"),
        limits=(5, 7, 10, 14, 20),
        limit_texts=(
            "We match lower prices within {n} days.",
            "A lower price counts for {n} days after purchase.",
            "The price promise lasts {n} days.",
        ),
        lenient=("one half", ("For clearance we credit one half.", "Clearance offers count for one half.")),
        strict=("are final", ("Clearance prices are final.", "All clearance offers are final.")),
        remarks=("Partner shops decide on their own.", "For partner offers the partner decides."),
        sympathy="I understand that a lower price is annoying.",
        messages=("It is cheaper now.", "The price fell today.", "I paid too much.", "My friend paid less."),
        granted=Outcome(YES, "The price fell inside the promise.", "I am paying back the difference.",
            "Refund the difference"),
        over_limit=Outcome(NO, "The price promise has ended.",
            "The price promise has ended for this order.", "Keep the price"),
        clause_granted=Outcome(PART, "Clearance offer, one half counts.",
            "I can credit half of the difference.", "Credit one half"),
        clause_refused=Outcome(NO, "Clearance prices are final.", "Clearance prices cannot be adjusted.",
            "Keep the price"),
        remark_outcome=Outcome(REVIEW, "A partner shop must decide.",
            "I am asking our partner shop for you.", "Ask the partner", escalate=True),
        limit_first=True,
    ),
    "address_change": Issue(
        number_key="hours_since_order",
        state_key="destination",
        states=("SAME_REGION", "OTHER_REGION", "ABROAD"),
        limits=(2, 4, 8, 12, 24, 36),
        limit_texts=(
            "The address can change within {n} hours.",
            "We correct addresses up to {n} hours after purchase.",
            "Addresses stay open for {n} hours.",
        ),
        lenient=(
            "redirect fee",
            ("Other regions cost a redirect fee.", "A redirect fee applies to other regions."),
        ),
        strict=(
            "not served",
            ("Other regions are not served.", "By this offer other regions are not served."),
        ),
        remarks=("Abroad is a matter for the export team.", "The export team decides about abroad."),
        sympathy="I see that the parcel should go elsewhere.",
        messages=(
            "I moved last week.",
            "I typed the wrong street.",
            "Send it to my office.",
            "Send it to my sister.",
        ),
        granted=Outcome(YES, "The address is still open.", "I have corrected the address.",
            "Update the address"),
        over_limit=Outcome(NO, "The address is closed.", "The address can no longer be changed.",
            "Keep the address"),
        clause_granted=Outcome(PART, "Other region, a fee applies.", "I can redirect it for a fee.",
            "Charge the redirect fee"),
        clause_refused=Outcome(NO, "The region is not served.", "We cannot deliver to that region.",
            "Keep the address"),
        remark_outcome=Outcome(REVIEW, "The new address is abroad.",
            "Our export team will check the new address.", "Ask the export team", escalate=True),
    ),
}
# fmt: on
