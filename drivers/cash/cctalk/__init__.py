"""ccTalk: banknote validators and coin acceptors on a one-wire bus."""
