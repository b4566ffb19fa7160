"""Pictures with known answers, on which wing classifiers are trained and measured."""
