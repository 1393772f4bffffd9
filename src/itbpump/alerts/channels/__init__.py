"""What carries a message: e-mail, the services of Apprise, a folder. `setup` reads which ones a clinic has; each is a `channel.Channel`."""
