"""What judgement is worth: labelled sets, baselines, figures, and the trainers of its weights."""
