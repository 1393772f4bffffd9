"""The pages of the clinician's screen: each shows, asks, and hands on; none decides. `page` is what they share."""
