"""Settings of the demonstration, tuned on two CPU cores."""

from training.config import DecodingConfig, TrainingConfig

TRAIN_ROWS, VALIDATION_ROWS = 2700, 300
TRAINING = TrainingConfig(learning_rate=6e-3, batch_size=16, epochs=1.0, max_length=512, evaluate_every=43)
DECODING = DecodingConfig(max_new_tokens=256, batch_size=50, latency_prompts=6)
