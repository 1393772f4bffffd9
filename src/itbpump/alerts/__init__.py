"""Alerts: refill dates watched, words sent, acknowledgements kept. `rules` find, `store` keeps, `channels` tell, `job` runs them."""
