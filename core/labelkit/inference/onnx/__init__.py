"""ONNX models: export, int8 quantization, and execution by ONNX Runtime or OpenVINO."""
