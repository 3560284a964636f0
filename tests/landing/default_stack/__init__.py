"""The default stack, which these modules share: one unit, in one lane."""
