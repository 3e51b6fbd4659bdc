"""Motion: the batched Kalman filter of the boxes, and the motion of the camera."""
