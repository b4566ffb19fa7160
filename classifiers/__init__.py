"""Image classifiers trained by this project. Their probabilities and features score generated pictures."""

# Bundled classifiers that searches may use. The third one, the referee, only evaluates.
SEARCH_CLASSIFIERS = ("classifier", "search_classifier_b")
