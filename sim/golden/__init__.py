"""Golden model of the prefetch unit: a scoreboard that predicts what each commit log record must contain."""
