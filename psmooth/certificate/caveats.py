"""The sentences that are part of every certificate, and what drawing its votes again cannot show.

It knows nothing about votes or bounds.
"""

# The caveats are part of the format: a file that lacks one, or words it otherwise, is refused.
NOT_CLINICAL = "Not for clinical use: psmooth is research software, not a medical device."

WHAT_RADIUS = (
    "The radius is an L2 distance over the 8-bit crop that the model saw, with its values scaled to [0, 1]; it says "
    "nothing about the scan before it was cropped, resized and windowed."
)

NOT_CORRECT = "The certificate says nothing about whether the answer is right."

FRESH_SEED = (
    "The failure probability α bounds false certificates per scan, method, noise level and run attempted, abstentions "
    "included; it is not the chance that this certificate is false."
)

GIVEN_SEED = (
    "The seed was given: α holds only if the seed was chosen without knowledge of scan, prompts and model and was the "
    "only one tried."
)

FROZEN_PROMPT = (
    "The prompt was tuned on noise around this scan: the certificate holds for the classifier with that prompt frozen "
    "and does not cover a system that tunes again on an altered scan."
)

BANK_OF_THIS_SCAN = (
    "The prompt bank was learned or chosen on this very crop: the certificate holds for the classifier with that bank "
    "frozen and does not cover a system that learns again on an altered scan."
)

DENOISER_OF_THIS_SCAN = (
    "The denoiser was learned on this very crop: the certificate holds for the classifier with that denoiser frozen "
    "and does not cover a system that learns again on an altered scan."
)

UNKNOWN_POOL = (
    "The prompt bank does not say which scans it was learned on: the certificate holds for the classifier with that "
    "bank as it is, and is unconditional only if this scan was not among them."
)

UNKNOWN_DENOISER_POOL = (
    "The denoiser does not say which scans it was learned on: the certificate holds for the classifier with that "
    "denoiser as it is, and is unconditional only if this scan was not among them."
)

BEGAN_AGAIN = (
    "Memory ran out during as many attempts as attempts_before says, the first of them with the seed first_seed; their "
    "votes were thrown away and none of them is counted here."
)

# What drawing the votes again cannot show, each with the fields of the file that it is about.
NOT_SHOWN: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "that the plan and its failure probability were announced before the first vote, and why the run ended",
        (
            "plan", "selection_votes", "max_votes", "failure_probability", "anytime_failure_probability",
            "final_failure_probability", "target_radius", "tolerance", "ended",
        ),
    ),
    ("that the seed was fresh and this the only attempt at it", ("seed_origin", "first_seed", "attempts_before")),
    (
        "that the lists of what bank and denoiser were learned on are whole",
        ("bank.learned_on_scan", "denoiser_learned_on_scan"),
    ),
    ("on which device, with which precision, batch size and versions it ran", (
        "device", "precision", "batch_size", "versions",
    )),
    ("when it ran", ("time",)),
    ("the licence of the model, and where the bank was published", ("model.licence", "bank.id", "bank.revision")),
    ("that the scan was published in that gallery", ("gallery",)),
    ("whether the scan was checked for what it looks like, in a file without such a check", ("scan_check",)),
    ("in which frame or series a scan stood that is given alone", ("preprocessing.frame", "preprocessing.series")),
    ("what a task of one's own and its classes are called, and where in its prompts a class name begins and ends", (
        "task", "class_ids", "class_names", "templates",
    )),
)  # fmt: skip
