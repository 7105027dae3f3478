"""Predict with a model: the engine, decoders, calibration, ONNX Runtime and OpenVINO."""
