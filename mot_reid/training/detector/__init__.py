"""Fine-tuning and scoring of the person detector."""
