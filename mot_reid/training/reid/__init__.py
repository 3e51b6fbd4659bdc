"""Person re-identification: crops, losses, the trainer, and how well what it trains finds people again."""
