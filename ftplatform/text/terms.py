"""What the statistical terms of the report and the comparison mean: the one place for these texts.

The pages show an explanation wherever a term is a label. The keys are those labels.
"""

_INTERVAL = (
    "The range of values that are compatible with the data. Of many such studies, 95 % would get a range that contains "
    "the true value."
)
_P = (
    "How often a difference at least this large would appear by chance if there were none. A small value speaks "
    "against chance; a large one does not show that both are the same."
)
_ADJUSTED = (
    "Adjusted for the number of results in this table, so that one of many does not stand out by chance."
)
_DZ = (
    "Difference divided by the standard deviation of single ratings. Larger means that single ratings agree more on "
    "the direction."
)
_CLUSTERED = "Several ratings of one prompt, or by one reviewer, do not count as independent."

_TERMS: dict[tuple[str, ...], str] = {
    ("Better",): "The whole interval of the win score is above 50 %.",
    ("Worse",): "The whole interval of the win score is below 50 %.",
    ("Equivalent",): "The 90 % interval is inside the margin: any difference is too small to matter.",
    (
        "Not worse",
    ): "The interval stays above the lower end of the margin. Whether it is better remains open.",
    ("Inconclusive",): "The ratings support no verdict. This does not mean that both models are the same.",
    ("Win score", "Win score of the candidate"): (
        "The candidate's share of wins. A tie or “both bad” counts half, and every prompt counts the same. 50 % means "
        "no preference."
    ),
    ("Win score, adjusted",): "The win score if the candidate had been on the left exactly half of the time.",
    ("Win score at equal length",): "The win score that would remain if both responses were equally long.",
    ("Pooled win score",): (
        "The win score of a slice, moved towards the mean of all slices by as much as chance explains the differences."
    ),
    ("Net win rate",): "Share of wins minus share of losses. Zero means as many wins as losses.",
    ("Chance that the candidate is better",): (
        "How likely a true win score above 50 % is, if all win scores were equally likely before the ratings. It helps "
        "to read the interval, and no verdict uses it."
    ),
    ("Chance that it is worse",): (
        "How likely it is that the candidate is worse by more than the margin, if all win scores were equally likely "
        "before the ratings. No verdict uses it."
    ),
    ("p-value", "p"): _P,
    ("p adjusted",): f"{_P} {_ADJUSTED}",
    ("95 % interval",): _INTERVAL,
    ("Difference",): (
        "Candidate minus baseline, with its interval where there is one: the range of differences that are compatible "
        "with the data."
    ),
    ("Relative change",): (
        "The difference as a percentage of the baseline's mean. Only for scales that start at zero, and for shares."
    ),
    ("Reading",): (
        "Higher or lower: significant after adjusting for several results, and only if the preference is significant "
        "too. Open: not shown, which does not prove “the same”."
    ),
    ("Standard error",): "How far the estimate would typically be from the truth, given this much data.",
    ("Standard deviation",): "How far single ratings typically lie from their mean.",
    ("df",): "Degrees of freedom: roughly the smaller of the numbers of prompts and reviewers, minus one.",
    ("z",): "How many standard errors the win score of a stage is away from 50 %, on the scale of log odds.",
    ("Statistic",): "The number that the test computes from the data; p follows from it.",
    ("Two-way clustered, jackknife",): (
        f"{_CLUSTERED} The standard error comes from leaving out one prompt, or one reviewer, at a time."
    ),
    (
        "Crossed mixed model, REML",
    ): f"{_CLUSTERED} Prompts and reviewers each add a random deviation of their own.",
    ("Krippendorff's α",): (
        "Agreement between reviewers beyond chance: 1 is perfect, 0 is chance. Low values are also possible where "
        "nearly all answers are alike."
    ),
    ("Gwet's AC1",): "Agreement beyond chance that stays meaningful where nearly all answers are alike.",
    ("Gwet's AC2",): "Gwet's agreement beyond chance for scales: answers close to each other count in part.",
    ("Same answer",): "How often two ratings of the same prompt give the same answer.",
    ("Left preferred",): (
        "Win score of the response on the left, estimated together with the models' difference. Far from 50 %, the "
        "side influenced reviewers."
    ),
    (
        "Candidate on the left",
    ): "How often the candidate's response was on the left. Sides are drawn at random.",
    ("Effective number",): (
        "As many reviewers who all rate equally often would give the same precision. Much lower than the number of "
        "reviewers if a few did most of the work."
    ),
    (
        "Between prompts",
    ): "Share of the differences between ratings that comes from the prompt. More prompts help.",
    (
        "Between reviewers",
    ): "Share of the differences between ratings that comes from reviewers' general leaning.",
    ("Residual",): "What prompt and reviewer do not explain: chance, and taste for single responses.",
    ("wins − losses, share of ratings",): "Share of wins minus share of losses, in percentage points.",
    ("mean over the standard deviation of single ratings",): _DZ,
    ("mean difference over the standard deviation of single ratings",): _DZ,
    ("matched rank-biserial",): (
        "From −1 to 1: how much of the ranked differences favours the candidate, minus how much favours the "
        "baseline."
    ),
    ("Cliff's δ, all scores",): (
        "From −1 to 1: how often a score of the candidate exceeds one of the baseline, minus how often it is below."
    ),
    (
        "Sign flip",
    ): "Tests the prompts' means by exchanging the two models at random. Holds for these reviewers only.",
    ("Signed rank",): "Wilcoxon's test on the ranks of the prompts' means. Holds for these reviewers only.",
    (
        "Majorities",
    ): "Counts the prompts that a majority decides for each model. Holds for these reviewers only.",
    ("Significance level at this analysis",): (
        "p must not exceed this for a verdict now. Earlier analyses use up part of the planned level."
    ),
    ("Level spent so far",): "The part of the planned level that this and all earlier analyses use up.",
    ("paired t",): "A t-test on the difference of each prompt.",
    ("exact McNemar",): "Counts the prompts that only one model gets right, and compares both counts.",
}

TERMS = {label: text for labels, text in _TERMS.items() for label in labels}
