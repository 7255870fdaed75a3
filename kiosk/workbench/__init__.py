"""The outside of a simulated kiosk, for demonstrations and tests: a person's hand. Left out of production wheels."""
