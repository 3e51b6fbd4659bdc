"""Training: the embedder on labelled crops, the detector on pictures with boxes, and their scores."""
