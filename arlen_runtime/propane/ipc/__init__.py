"""What manager, generation and worker share: messages, arguments, scoreboard."""
