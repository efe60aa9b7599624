"""What manager, generation and worker share: messages, boot arguments, the scoreboard, metrics."""
