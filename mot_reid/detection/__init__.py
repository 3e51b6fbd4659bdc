"""Detection: the protocol, YOLO through Ultralytics, and detections read from a file."""
