"""What judgement is worth: labelled sets, baselines and figures."""
