"""The fleet watches itself: what is wrong, since when, who is told, and figures for those who look on from outside."""
