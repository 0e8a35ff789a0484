"""Topics in SNS's shape: subscriptions, and deliveries with each attempt."""
