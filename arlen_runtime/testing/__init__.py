"""What tests of applications, and of Arlen, stand on."""
