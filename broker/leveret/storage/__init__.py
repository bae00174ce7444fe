"""What survives the process: messages of durable queues, and definitions."""
