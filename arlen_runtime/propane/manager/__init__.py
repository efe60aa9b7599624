"""The manager: keeps the wanted processes running. It never imports the application."""
